"""The page on scale says what the benchmarks found, and nothing else of its own."""

import importlib
import re

import pytest

from twotower.settings import ROOT

PAGE = ROOT / "docs" / "scale.md"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("page")


def test_every_table_is_as_the_results_have_it(page):
    text = PAGE.read_text(encoding="utf-8")
    assert page.filled(text) == text
    emptied = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", r"<!-- \1 --><!-- /\1 -->", text, flags=re.S)
    assert emptied != text and page.filled(emptied) == text


def test_no_figure_stands_outside_the_tables():
    text = PAGE.read_text(encoding="utf-8")
    words = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", text, flags=re.S)
    assert re.findall(r"\d[\d.,]* ?(?:ms|s|min|h|MB|GB|MiB|%|x|times)\b", words) == []


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0123, "12.3 ms"), (4.567, "4.57 s"), (600, "10 min"), (9000, "2.5 h")],
)
def test_times_are_told_in_the_unit_that_reads_best(page, value, told):
    assert page.seconds(value) == told


def test_what_was_asked_of_the_search_is_met(page):
    found = page.json.loads((page.FOLDER / "search.json").read_text(encoding="utf-8"))
    assert found["rows"] == 1_000_000 and found["dim"] == 64
    assert found["times the limit"] <= found["allowed"] and found["times faiss"] <= 1.0
