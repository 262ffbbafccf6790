"""Tables of the documentation agree with the results of the benchmarks."""

import importlib
import re

import pytest

from twotower.core.settings import ROOT

PAGE = ROOT / "docs" / "scale.md"
LEARNING = ROOT / "docs" / "retraining.md"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("page")


@pytest.mark.parametrize("path", [PAGE, LEARNING], ids=lambda path: path.stem)
def test_the_tables_agree_with_the_results(page, path):
    text = path.read_text(encoding="utf-8")
    assert page.filled(text, path) == text
    emptied = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", r"<!-- \1 --><!-- /\1 -->", text, flags=re.S)
    assert emptied != text and page.filled(emptied, path) == text


def test_no_figure_stands_outside_the_tables():
    text = PAGE.read_text(encoding="utf-8")
    words = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", text, flags=re.S)
    assert re.findall(r"\d[\d.,]* ?(?:ms|s|min|h|MB|GB|MiB|%|x|times)\b", words) == []


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0123, "12.3 ms"), (4.567, "4.57 s"), (600, "10 min"), (9000, "2.5 h")],
)
def test_times_have_a_readable_unit(page, value, told):
    assert page.seconds(value) == told
