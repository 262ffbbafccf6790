"""Search and storage for communities of more than 300,000 members."""
