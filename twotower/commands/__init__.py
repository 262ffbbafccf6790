"""What each command does; cli.py gives them their names."""
