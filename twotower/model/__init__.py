"""Two-tower model: profiles to unit vectors."""
