"""Rank the neighbours of a profile, and explain the matches."""
