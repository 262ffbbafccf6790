"""The list of neighbours as a download."""

import csv
import io

from twotower.core.domain import Listener, Neighbour
from twotower.ui import neighbours


def test_the_csv_is_safe_in_a_spreadsheet():
    person = Listener("p1", '=HYPERLINK("x")', "invented", ())
    match = Neighbour(person, 1, 0.91234, 99.123, ("Low", 'The "Who"'), ("@me",))
    rows = list(csv.DictReader(io.StringIO(neighbours.neighbours_csv([match]))))
    assert rows == [
        {
            "rank": "1",
            "id": "p1",
            "name": '\'=HYPERLINK("x")',
            "origin": "invented",
            "similarity": "0.9123",
            "percentile": "99.12",
            "shared": 'Low; The "Who"',
            "discover": "'@me",
        }
    ]
