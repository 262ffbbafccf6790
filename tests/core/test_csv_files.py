"""CSV cells that a spreadsheet would run."""

import ast
from pathlib import Path

import pytest

from twotower.core.csv_files import csv_text, joined, spreadsheet_safe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_sign_of_a_formula_is_marked_where_a_cell_may_start(sign):
    assert spreadsheet_safe(f"{sign}a") == f"'{sign}a"
    assert spreadsheet_safe(f" {sign}a") == f"' {sign}a"
    for separator in (";", ",", "|", "\t", "\n", "\r"):
        assert spreadsheet_safe(f"A{separator}{sign}a") == f"A{separator}'{sign}a"
    assert spreadsheet_safe(f"A{sign}a") == f"A{sign}a"


@pytest.mark.parametrize("text", ["", "Low", "-0.25", "-1e-05", "Tyler, the Creator", "a-ha"])
def test_other_text_and_numbers_stay(text):
    assert spreadsheet_safe(text) == text


@pytest.mark.parametrize("text", ["\t=1", "=1", "A; =1"])
def test_what_is_marked_is_not_marked_again(text):
    assert spreadsheet_safe(spreadsheet_safe(text)) == spreadsheet_safe(text)


def test_every_cell_of_text_is_safe_and_numbers_stay():
    rows = [["=1", -2.5, None], [joined(["Low", "@me"]), "", -1]]
    text = csv_text(["+name", "b", "c"], rows)
    assert text.splitlines() == ['"\'+name","b","c"', '"\'=1",-2.5,""', '"Low / \'@me","",-1']


def test_no_other_file_of_the_program_writes_csv():
    writers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("twotower", "pages")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("csv.writer", "csv.DictWriter")
    }
    assert writers == {"twotower/core/csv_files.py"}
