"""Shared ground: domain types, names, errors, settings, files and background jobs."""
