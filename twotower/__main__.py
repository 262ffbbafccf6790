"""`python -m twotower`."""

from twotower.cli import app

app(prog_name="python -m twotower")
