"""Imports go one way between the folders, and each library is imported in few places only."""

import ast
from collections.abc import Iterator, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A folder may import those above it. The pages and app.py are below all of them.
FOLDERS = (
    "core",
    "sources",
    "model",
    "retrieval",
    "community",
    "bundle",
    "evaluation",
    "retraining",
    "matching",
    "web",
    "ui",
    "cli",
)
# The public surface, which may import every folder.
PUBLIC = ("twotower/__init__.py", "twotower/__main__.py")
# Libraries that only these folders or files may import.
ALLOWED = {
    "streamlit": ("app.py", "pages", "twotower/ui"),
    "spotipy": ("twotower/sources/spotify",),
    "starlette": ("twotower/web",),
    "umap": ("twotower/retrieval/projection.py",),
    "torch": ("twotower/model", "twotower/bundle", "twotower/retraining", "twotower/matching"),
    "safetensors": ("twotower/model",),
    "sqlalchemy": ("twotower/community",),
    "plotly": ("twotower/ui/charts",),
    "typer": ("twotower/cli",),
    "implicit": ("twotower/evaluation/methods",),
}


def folder_of(module: str) -> str | None:
    """Return the folder of a dotted module name, None outside `twotower`."""
    top, _, rest = module.partition(".")
    return rest.split(".")[0] if top == "twotower" and rest else None


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted module) for each import of a file, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "a relative import"
            elif node.module == "twotower":
                yield from ((node.lineno, f"twotower.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module or ""


def rank(module: str) -> int:
    """Return the position of a module's folder; the pages come last, the package itself too."""
    folder = folder_of(module)
    return FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS)


def violations(root: Path) -> list[str]:
    """List every import that breaks the order of the folders or is not allowed for its library."""
    problems: list[str] = []
    files = [*root.glob("twotower/**/*.py"), *root.glob("pages/*.py"), *root.glob("app.py")]
    for path in sorted(files):
        name = path.relative_to(root).as_posix()
        mine = rank(name.removesuffix(".py").replace("/", "."))
        if name.startswith("twotower/") and mine == len(FOLDERS) and name not in PUBLIC:
            what = (
                "this folder is not in FOLDERS"
                if name.count("/") > 1
                else "this file is in no folder"
            )
            problems.append(f"{name}: {what}")
        for line, module in imports(path):
            library = module.split(".")[0]
            if module == "a relative import":
                problems.append(f"{name}:{line}: relative import, write the whole name")
            elif library == "twotower" and "." in module and rank(module) > mine:
                problems.append(f"{name}:{line}: imports {folder_of(module)}, which comes later")
            elif not name.startswith(ALLOWED.get(library, name)):
                problems.append(
                    f"{name}:{line}: {library} belongs in {', '.join(ALLOWED[library])}"
                )
    return problems


def first_circle(root: Path) -> list[str]:
    """Return modules of `twotower` that import each other in a circle, [] if none do.

    Imports at any depth count, those for type checkers too.
    """
    files = {dotted(path.relative_to(root)): path for path in root.glob("twotower/*/**/*.py")}
    graph = {name: modules(path, files.keys()) - {name} for name, path in files.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def modules(path: Path, known: Set[str]) -> set[str]:
    """Return the known modules that a file imports. A package is known as its `__init__`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                member, package = f"{node.module}.{alias.name}", f"{node.module}.__init__"
                names |= {member} if member in known else {f"{node.module}", package}
    return names & known


def test_imports_follow_the_order_of_the_folders_and_libraries_are_used_where_allowed():
    assert violations(ROOT) == []


def test_no_imports_form_a_circle():
    assert first_circle(ROOT) == []


@pytest.mark.parametrize(
    "text",
    [
        "from twotower.model import losses\n",
        "from twotower.model.losses import in_batch_softmax\n",
        "import twotower.model.losses\n",
        "def late():\n    from twotower.model import losses\n",
        "from twotower.model import Embedder\n",
    ],
)
def test_a_circle_within_a_folder_is_caught(text: str, tmp_path: Path):
    model = tmp_path / "twotower/model"
    model.mkdir(parents=True)
    (model / "losses.py").write_text("from twotower.model import towers\n", encoding="utf-8")
    (model / "towers.py").write_text("", encoding="utf-8")
    (model / "__init__.py").write_text("from twotower.model.losses import a\n", encoding="utf-8")
    assert first_circle(tmp_path) == []
    (model / "towers.py").write_text(text, encoding="utf-8")
    assert set(first_circle(tmp_path)) >= {"twotower.model.losses", "twotower.model.towers"}


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        (
            "twotower/core/domain.py",
            "x = 1\nfrom twotower.model.towers import TwoTower\n",
            "twotower/core/domain.py:2: imports model, which comes later",
        ),
        (
            "twotower/sources/reader.py",
            "def late():\n    from twotower.matching import matcher\n",
            "twotower/sources/reader.py:2: imports matching, which comes later",
        ),
        (
            "twotower/matching/matcher.py",
            "from twotower import ui\n",
            "twotower/matching/matcher.py:1: imports ui, which comes later",
        ),
        (
            "twotower/core/domain.py",
            "from ..model import towers\n",
            "twotower/core/domain.py:1: relative import, write the whole name",
        ),
        (
            "twotower/community/store.py",
            "import streamlit as st\n",
            "twotower/community/store.py:1: streamlit belongs in app.py, pages, twotower/ui",
        ),
        (
            "twotower/matching/matcher.py",
            "from umap.umap_ import UMAP\n",
            "twotower/matching/matcher.py:1: umap belongs in twotower/retrieval/projection.py",
        ),
        (
            "pages/you.py",
            "import sqlalchemy.orm\n",
            "pages/you.py:1: sqlalchemy belongs in twotower/community",
        ),
        (
            "twotower/matching/matcher.py",
            "from twotower import Profile\n",
            "twotower/matching/matcher.py:1: imports Profile, which comes later",
        ),
        (
            "twotower/helpers.py",
            "",
            "twotower/helpers.py: this file is in no folder",
        ),
        (
            "twotower/utils/x.py",
            "",
            "twotower/utils/x.py: this folder is not in FOLDERS",
        ),
    ],
)
def test_a_planted_violation_is_caught(file: str, text: str, problem: str, tmp_path: Path):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    assert violations(tmp_path) == [problem]


def test_a_tree_in_order_has_no_violation(tmp_path: Path):
    for file, text in {
        "twotower/core/errors.py": "import json\n",
        "twotower/ui/state.py": "import streamlit\nfrom twotower.core import errors\n",
        "pages/you.py": "from twotower.ui import state\n",
        "twotower/__init__.py": "from twotower.ui import state\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    assert violations(tmp_path) == []
