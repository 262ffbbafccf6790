"""Commands: `python -m twotower COMMAND`."""
