"""Evaluation of the model and its baselines."""
