"""Data flows one way: who may import whom, and which library lives where."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the ground up. A module imports from the layers below its own, and from its own without
# turning in a circle; a folder counts as one module. A new module takes its place here.
LAYERS = (
    {"errors", "settings", "domain", "disk", "headers", "job", "looks"},
    {
        "sources",
        "profiles",
        "datafiles",
        "jsonlines",
        "artist_content",
        "datasets",
        "listens",
        "shards",
        "packed",
    },
    {
        "catalogue",
        "companions",
        "content",
        "factors",
        "features",
        "tables",
        "model",
        "losses",
        "ranks",
    },
    {
        "index",
        "methods",
        "metrics",
        "ranking",
        "reports",
        "splits",
        "projection",
        "explain",
        "discoveries",
        "charts",
        "quality",
        "quality_charts",
        "variant_charts",
        "variants",
        "vectorfiles",
        "verdicts",
    },
    {
        "baselines",
        "corrections",
        "groups",
        "holdout",
        "hybrid",
        "item_baselines",
        "tasks",
        "training",
        "community",
    },
    {"checks", "embedder", "estimates", "halfvectors"},
    {"fit", "evaluation", "generations"},
    {
        "listeners",
        "shipped",
        "demos",
        "surroundings",
        "matching",
        "assets",
        "card",
        "auth",
        "ablation",
        "quick",
        "refresh",
        "reranking",
        "sessions",
        "doctor",
        "intake",
        "limits",
        "membership",
        "pseudonyms",
    },
    {"ui", "terminal", "commands", "cli", "__main__"},
    {"pages", "app"},
)
# Each library with files where alone it may be imported: a module's name, or a folder's.
HOMES = {
    "streamlit": {"app", "pages", "ui"},
    "spotipy": {"sources"},
    "starlette": {"auth"},
    "umap": {"projection"},
    "torch": {
        "assets",
        "embedder",
        "factors",
        "features",
        "losses",
        "matching",  # only to say how many threads
        "model",
        "ranks",
        "refresh",
        "training",
    },
    "safetensors": {"embedder", "training"},
    "sqlalchemy": {"community"},
    "plotly": {"charts", "quality_charts", "variant_charts"},
    "typer": {"cli", "commands", "terminal"},
    "implicit": {"baselines"},
}
LEVEL = {module: level for level, layer in enumerate(LAYERS) for module in layer}


def module_of(path: Path, root: Path) -> str:
    """The name under which LAYERS knows a file: twotower/sources/files.py is "sources"."""
    parts = path.relative_to(root).with_suffix("").parts
    return parts[1] if parts[0] == "twotower" else parts[0]


def imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything a file imports, at its top or anywhere inside."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *(node.module or "").split("."))).strip(".")
            if base == "twotower":
                yield from ((node.lineno, f"twotower.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, base


def violations(root: Path) -> list[str]:
    """What the tree under `root` does that it may not, a line each."""
    found: list[str] = []
    arrows: dict[str, set[str]] = {}
    files = [*root.glob("twotower/**/*.py"), *root.glob("pages/**/*.py"), *root.glob("app.py")]
    for path in sorted(files):
        me, name = module_of(path, root), path.relative_to(root).as_posix()
        if me == "__init__":
            continue
        if me not in LEVEL:
            found.append(f"{name}: {me} has no place in LAYERS")
            continue
        for line, imported in imports(path, root):
            library, _, inside = imported.partition(".")
            if library == "twotower" and inside:
                other = inside.split(".")[0]
                if LEVEL.get(other, len(LAYERS)) > LEVEL[me]:
                    found.append(f"{name}:{line}: {me} may not import {other}, which is above it")
                elif other != me:
                    arrows.setdefault(me, set()).add(other)
            elif library in HOMES and me not in HOMES[library]:
                homes = ", ".join(sorted(HOMES[library]))
                found.append(f"{name}:{line}: {library} belongs in {homes}, not in {me}")
    return found + [f"a circle: {' -> '.join(circle)}" for circle in circles(arrows)]


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Paths along the arrows that come back to where they began."""
    found: list[list[str]] = []

    def walk(path: list[str]) -> None:
        for other in sorted(arrows.get(path[-1], ())):
            if other == path[0]:
                found.append([*path, other])
            elif other not in path and other > path[0]:  # each circle once, from its first name
                walk([*path, other])

    for start in sorted(arrows):
        walk([start])
    return found


def test_every_import_points_down_and_every_library_is_at_home():
    assert violations(ROOT) == []


def planted(root: Path, file: str, text: str) -> list[str]:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return violations(root)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        (
            "twotower/domain.py",
            "x = 1\nfrom twotower.model import TwoTower\n",
            "twotower/domain.py:2: domain may not import model, which is above it",
        ),
        (
            "twotower/sources/files.py",
            "def late():\n    from ..matching import Matcher\n",
            "twotower/sources/files.py:2: sources may not import matching, which is above it",
        ),
        (
            "twotower/matching.py",
            "from twotower import ui\n",
            "twotower/matching.py:1: matching may not import ui, which is above it",
        ),
        (
            "twotower/community.py",
            "import streamlit as st\n",
            "twotower/community.py:1: streamlit belongs in app, pages, ui, not in community",
        ),
        (
            "twotower/matching.py",
            "from umap.umap_ import UMAP\n",
            "twotower/matching.py:1: umap belongs in projection, not in matching",
        ),
        (
            "pages/you.py",
            "import sqlalchemy.orm\n",
            "pages/you.py:1: sqlalchemy belongs in community, not in pages",
        ),
        ("twotower/utils.py", "", "twotower/utils.py: utils has no place in LAYERS"),
    ],
)
def test_a_planted_violation_is_caught(file: str, text: str, problem: str, tmp_path: Path):
    assert planted(tmp_path, file, text) == [problem]


def test_a_planted_circle_within_a_layer_is_caught(tmp_path: Path):
    assert planted(tmp_path, "twotower/model.py", "from twotower import losses\n") == []
    circle = planted(tmp_path, "twotower/losses.py", "from twotower.model import TwoTower\n")
    assert circle == ["a circle: losses -> model -> losses"]


def test_a_tree_as_drawn_has_no_violation(tmp_path: Path):
    assert planted(tmp_path, "twotower/errors.py", "import json\n") == []
    assert planted(tmp_path, "twotower/ui/session.py", "import streamlit\n") == []
    assert planted(tmp_path, "pages/you.py", "from twotower.ui import session\n") == []
