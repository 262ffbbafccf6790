"""Contents of assets/: synthetic listeners, demos, and how they are built."""
