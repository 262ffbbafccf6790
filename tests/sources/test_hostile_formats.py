"""Files of other services that are truncated, mangled, or made to fill the memory."""

import json

import pytest
from format_samples import SAMPLES, TAUTULLI, UNIX, WORKBOOK, XSPF, YOUTUBE_PAGE, read, rows, zipped

from twotower.core.errors import SourceError, TooLarge, TwoTowerError, UnreadableExport
from twotower.sources.files import workbook


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_truncated_file_is_read_in_part_or_refused(kind):
    name, content, _, _ = SAMPLES[kind]
    raw = content if isinstance(content, bytes) else content.encode()
    for length in range(1, len(raw), 7):
        try:
            read(name, raw[:length])
        except TwoTowerError:
            continue


JSON_KINDS = [kind for kind, sample in SAMPLES.items() if sample[1][:1] in ("{", "[")]
WRONG_VALUES = (None, True, 1e400, -1, "", [], {}, [[]], {"a": 1}, "9" * 400, "\ud800", "\0")


def replaced(value, number, wrong):
    """Return JSON data with its `number`-th value, counted from outside, replaced."""
    counter = iter(range(10_000))

    def walk(part):
        if next(counter) == number:
            return wrong
        if isinstance(part, dict):
            return {key: walk(each) for key, each in part.items()}
        return [walk(each) for each in part] if isinstance(part, list) else part

    return walk(value)


@pytest.mark.parametrize("kind", JSON_KINDS)
def test_wrong_types_in_json_raise_nothing_unexpected(kind):
    name, content, _, _ = SAMPLES[kind]
    data = json.loads(content.splitlines()[0])
    for number in range(30):
        for wrong in WRONG_VALUES:
            try:
                read(name, json.dumps(replaced(data, number, wrong)))
            except TwoTowerError:
                continue


@pytest.mark.parametrize("kind", JSON_KINDS)
def test_deeply_nested_json_is_refused(kind):
    name, content, _, _ = SAMPLES[kind]
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(TwoTowerError):
        read(name, content.replace('"Harbour Fog"', deep).replace('"Harbour Fog - Topic"', deep))


@pytest.mark.parametrize(
    "kind", [kind for kind, sample in SAMPLES.items() if sample[0].endswith(("csv", "tsv"))]
)
def test_wrong_cells_in_tables_lose_no_valid_row(kind):
    name, content, expected, _ = SAMPLES[kind]
    last = content.splitlines()[-1]
    separator = "\t" if "\t" in last else ","
    for wrong in ("", "\u0661", "-1", "9" * 400, "[]", "nan", "\u202e", "1e9"):
        mangled = separator.join([wrong] * (last.count(separator) + 3))
        if expected:
            assert rows(read(name, f"{content}{mangled}\n"))[: len(expected)] == expected


def test_entities_in_xml_are_refused():
    bomb = """<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaaaaaaaa">
    <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>
    <plist><dict><key>Tracks</key><dict><key>1</key><dict><key>Artist</key><string>&b;&c;</string>
    </dict></dict></dict></plist>"""
    with pytest.raises(UnreadableExport, match="declares entities"):
        read("Library.xml", bomb)


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("<dict>" * 200, "nested too deeply"),
        (f"<string>{'a' * (1 << 21)}</string>", "a text is too long"),
        (f'<string a="{"a" * (1 << 22)}"', "a tag is too long"),
        ("</b>", "mismatched tag"),
    ],
)
def test_xml_over_a_limit_is_refused(inside, problem):
    with pytest.raises(UnreadableExport, match=problem):
        read("Library.xml", f"<plist><dict><key>Tracks</key><dict>{inside}")


def test_an_encoding_that_there_is_not_is_refused():
    with pytest.raises(UnreadableExport, match="unknown encoding"):
        read("a.xspf", XSPF.replace("UTF-8", "UTF-88"))


def test_an_endless_row_of_a_table_is_refused():
    table = "play_time,track_title,track_url\n" + '"a\n",' * 2_000
    with pytest.raises(SourceError):
        read("a.csv", table)


def test_an_endless_entry_of_a_page_is_refused():
    page = YOUTUBE_PAGE.replace("Slow &amp; Tide", "a" * (3 << 20))
    with pytest.raises(UnreadableExport, match="an entry is too long"):
        read("watch-history.html", page)


def test_a_table_of_several_people_is_refused():
    table = TAUTULLI + f"{UNIX},track,Harbour Fog,X,Slow Tide,u1,200,\n" * 2
    assert read("a.csv", table).reports[0].plays == 2
    with pytest.raises(UnreadableExport, match="plays of several people"):
        read("a.csv", f"{table}{UNIX},track,Harbour Fog,X,Slow Tide,u2,200,\n")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"xl/workbook.xml": "<workbook><sheets><sheet name='Costs'/></sheets></workbook>"}, "CSV"),
        ({"xl/worksheets/sheet1.xml": "<worksheet>" + "<row>" * 200}, "nested too deeply"),
        (
            {"xl/worksheets/sheet1.xml": "<worksheet><row><c><v>Costs</v></c></row></worksheet>"},
            "no column Artist",
        ),
        ({"xl/worksheets/sheet1.xml": "<worksheet><row>"}, "this isn't valid XML"),
        ({"xl/_rels/workbook.xml.rels": "<Relationships/>"}, "damaged"),
        ({"xl/sharedStrings.xml": '<!DOCTYPE a [<!ENTITY b "c">]><sst>&b;</sst>'}, "entities"),
    ],
)
def test_other_workbooks_are_refused(changes, problem):
    with pytest.raises(UnreadableExport, match=problem):
        read("a.xlsx", zipped({**WORKBOOK, **changes}))


@pytest.mark.parametrize("limit", ["MOST_PACKED", "MOST_UNPACKED", "MOST_TEXT"])
def test_a_workbook_over_a_limit_is_refused(monkeypatch, limit):
    monkeypatch.setattr(workbook, limit, 100)
    with pytest.raises(TooLarge, match="save the sheet as CSV"):
        read("a.xlsx", zipped(WORKBOOK))
