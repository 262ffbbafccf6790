"""Check docstrings and function names for the wording rules in CONTRIBUTING.md.

Prints one line per breach and exits with 1 if there are any.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FIRST_WORDS = {"who", "what", "whose", "whom", "how", "whether", "of", "where", "that"}
PARTICIPLES = {"told", "said", "kept", "taken", "held", "found", "asked"}
FOLDERS = ("twotower", "pages", "tests", "benchmarks", "app.py", ".ci")


def breaches(path: Path) -> Iterator[str]:
    """Yield "file:line: problem" for each docstring and function name that breaks a rule."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (
            node.name.strip("_") in PARTICIPLES
        ):
            yield f"{path}:{node.lineno}: {node.name} is a participle; name it with a verb"
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        words = (ast.get_docstring(node) or "").split()
        first = words[0].strip(",.:;").lower() if words else ""
        if first in FIRST_WORDS or [word.lower() for word in words[:2]] == ["to", "whom"]:
            line = getattr(node, "lineno", 1)
            yield f"{path}:{line}: docstring begins with “{words[0]}”; say what it does or is"


def main(names: list[str]) -> int:
    paths = [Path(name) for name in names or FOLDERS]
    files = [f for p in paths for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    problems = [problem for file in files for problem in breaches(file)]
    print("\n".join(problems) if problems else "Docstrings and names follow the rules.")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
