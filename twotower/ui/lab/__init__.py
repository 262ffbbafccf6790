"""Lab page."""
