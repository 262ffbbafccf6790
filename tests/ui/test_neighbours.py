"""The list of neighbours as a download."""

import csv
import io

from twotower.core.domain import Listener, Neighbour
from twotower.ui import neighbours


def test_the_csv_is_safe_in_a_spreadsheet():
    person = Listener("p1", '=HYPERLINK("x")', "invented", ())
    match = Neighbour(person, 1, 0.91234, 99.123, ("Low", 'The "Who"'), ("@me",), one_in=4511.7)
    rows = list(csv.DictReader(io.StringIO(neighbours.neighbours_csv([match]))))
    assert rows == [
        {
            "rank": "1",
            "id": "p1",
            "name": '\'=HYPERLINK("x")',
            "origin": "invented",
            "similarity": "0.9123",
            "percentile": "99.12",
            "one_in": "4512",
            "shared": 'Low / The "Who"',
            "discover": "'@me",
        }
    ]


def test_no_text_of_another_member_is_run_by_a_spreadsheet():
    sign = '=HYPERLINK("https://evil.example")'
    person = Listener(sign, f"Ab;{sign}", sign, ())
    match = Neighbour(person, 1, -0.01, 0.5, ("Low", sign), (f"Slint; {sign}",))
    text = neighbours.neighbours_csv([match])
    for separator in ",;":
        for row in csv.reader(io.StringIO(text), delimiter=separator):
            assert not [cell for cell in row if cell.strip().startswith("=")]
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["similarity"] == "-0.0100"
