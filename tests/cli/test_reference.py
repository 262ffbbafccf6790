"""docs/cli.md has the same commands, arguments, options, defaults and keys as the program."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer.main
from planted import ring
from typer.testing import CliRunner

from twotower.cli.main import app
from twotower.core.settings import ROOT
from twotower.sources.profile_jsonl import write_profiles

TEXT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def walk(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, command) for each command, such as "map fit"."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


COMMANDS = dict(walk(typer.main.get_command(app)))
_, *PIECES = HEADING.split(TEXT)
SECTIONS = dict(zip(PIECES[::2], PIECES[1::2], strict=True))


def label(parameter: Any) -> str:
    """Return a parameter as the reference names it: FILE..., --out or --yes/--no."""
    if parameter.param_type_name == "option":
        return "/".join([*parameter.opts, *parameter.secondary_opts])
    name = (parameter.metavar or parameter.name.upper()).removesuffix("...")
    return f"{name}..." if parameter.nargs == -1 else name


def default(parameter: Any) -> str | None:
    """Return a default as the reference names it; None if the program doesn't say."""
    if parameter.required:
        return "required"
    if named := re.search(r"\[default: (.+)\]", parameter.help.replace("\n", " ")):
        return named[1]
    if isinstance(parameter.default, bool) and parameter.secondary_opts:
        return str((parameter.opts if parameter.default else parameter.secondary_opts)[0])
    if parameter.default is False:
        return "off"
    return str(parameter.default) if parameter.default not in (None, "") else None


def rows(section: str) -> dict[str, str]:
    """Return argument or option -> default of a section's table."""
    _, header, table = section.partition("option | default | meaning |\n")
    if not header:
        return {}
    lines = [line for line in table.split("\n\n")[0].splitlines() if not line.startswith("|--")]
    cells = [[cell.strip() for cell in line.split("|")[1:3]] for line in lines]
    return {name.strip("`"): value for name, value in cells}


def keys(value: Any) -> Any:
    """Return the keys of a JSON document, nested; of a list those of the first item."""
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in value.items()}
    return [keys(value[0])] if isinstance(value, list) and value else None


def test_the_reference_has_every_command_once_and_no_other():
    assert sorted(PIECES[::2]) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_has_every_parameter_with_its_default(name: str):
    documented = rows(SECTIONS[name])
    parameters = {label(each): default(each) for each in COMMANDS[name].params}
    assert documented.keys() == parameters.keys()
    known = {each: value for each, value in parameters.items() if value is not None}
    assert {each: documented[each] for each in known} == known


@pytest.mark.parametrize("name", COMMANDS)
def test_the_synopsis_has_all_that_is_required(name: str):
    synopsis = SECTIONS[name].strip().splitlines()[0].strip("`")
    arguments = [each for each in COMMANDS[name].params if each.param_type_name == "argument"]
    words = [label(each) if each.required else f"[{label(each)}]" for each in arguments]
    assert f"{synopsis} ".startswith(f"{' '.join([name, *words])} ")
    required = [each.opts[0] for each in COMMANDS[name].params if each.required]
    assert re.findall(r"--[a-z-]+", synopsis) == [each for each in required if "--" in each]


def test_documented_keys_are_those_of_the_output(planted_assets: Path, tmp_path: Path):
    env = {
        "TWOTOWER_ASSETS": str(planted_assets),
        "TWOTOWER_COMMUNITY": f"sqlite:///{tmp_path / 'community.sqlite'}",
    }
    me, out = tmp_path / "me.jsonl", tmp_path / "out"
    write_profiles([replace(ring(1, artists=20, origin="file")[0], id="me")], me)
    choices = ("--name", "Amber Cadence", "--findable", "--no-training")
    calls = {
        "neighbours": (me,),
        "explain": (me, "i3"),
        "map place": (me,),
        "embed": (me, "--tower", "user", "--out", out, "--model", planted_assets / "model"),
        "community init": (),
        "community join": (me, *choices),
        "community stats": (),
        "community backup": (tmp_path / "copy.sqlite",),
        "doctor": (),
    }
    for name, args in calls.items():
        command = [*name.split(), *map(str, args), "--json"]
        result = CliRunner(env=env).invoke(app, command)
        assert result.exit_code == 0, result.output
        blocks = re.findall(r"```json\n(.*?)```", SECTIONS[name], re.DOTALL)
        if name == "community init":
            blocks = re.findall(r"```json\n(.*?)```", SECTIONS["community stats"], re.DOTALL)
        documented, actual = keys(json.loads(blocks[0])), keys(json.loads(result.stdout))
        for document in (documented, actual):
            document.pop("vectors by model", None)  # its keys are model versions
            # absent here, since so small a model determines few dimensions
            for part in (document, *document.get("neighbours", ())):
                part.pop("one_in", None)
        assert documented == actual, name


def test_defaults_written_by_hand_are_those_of_the_program():
    """Help texts name these defaults themselves: importing them would load PyTorch."""
    from twotower.retraining.full import STEPS
    from twotower.retraining.new_artist_rules import MIN_LISTENERS

    parameters = {each.opts[0]: default(each) for each in COMMANDS["refresh"].params}
    assert (parameters["--steps"], parameters["--share"]) == (str(STEPS), str(MIN_LISTENERS))
