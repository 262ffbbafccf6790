"""Entry point of `python -m twotower`."""

from twotower.cli.main import app

app(prog_name="python -m twotower")
