"""Retraining on consenting members, and promotion of the result."""
