"""Scoring methods that the evaluation compares."""
