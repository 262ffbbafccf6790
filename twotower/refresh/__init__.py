"""A model that learns on from those who let it, and takes the place of the one before if it may."""
