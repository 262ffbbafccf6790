"""Whoever runs a server: whether it is set up."""

import os

import typer

from twotower.cli.options import Json
from twotower.cli.terminal import Progress, plain, show_json

MARKS = {"good": "ok", "note": "--", "problem": "!!"}


def doctor(json: Json = False) -> None:
    """Say what is configured, what loads and what is missing; no secret is printed.

    Exit code 1 where something must be mended before the app can work.
    """
    from twotower.cli.doctor import examine

    with Progress() as tell:
        findings = []
        for finding in examine(os.environ):
            findings.append(finding)
            tell(0.5, f"after {finding.name}")
    healthy = all(finding.state != "problem" for finding in findings)
    if json:
        checks = [{"name": f.name, "state": f.state, "said": f.said} for f in findings]
        show_json({"healthy": healthy, "checks": checks})
    else:
        for finding in findings:
            typer.echo(f"{MARKS[finding.state]}  {finding.name}: {plain(finding.said)}")
    if not healthy:
        raise typer.Exit(1)
