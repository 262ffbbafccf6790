"""Web services that are read by user name."""
