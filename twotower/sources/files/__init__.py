"""File formats of listening histories."""
