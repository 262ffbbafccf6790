"""Files of other services and programs: one small made-up file a format, and hostile ones."""

import io
import json
import zipfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest

from twotower.core.errors import NoMusic, SourceError, TooLarge, TwoTowerError, UnreadableExport
from twotower.matching.discoveries import Discovery
from twotower.matching.playlist_files import to_csv, to_m3u, to_xspf
from twotower.sources.collector import Reading
from twotower.sources.files import workbook
from twotower.sources.files.formats import FORMATS, find_format, is_member
from twotower.sources.reader import read_files

ROOT = Path(__file__).resolve().parents[2]
AT = "2024-05-06T07:08:09Z"
UNIX = 1714979289  # the same time

APPLE_ACTIVITY = """\
Album Name,Artist Name,Event End Timestamp,Event Type,Media Type,Play Duration Milliseconds,\
Song Name
X,Harbour Fog,2024-05-06T07:08:09.000Z,PLAY_END,AUDIO,60000,Slow Tide
X,Harbour Fog,2024-05-06T07:05:00.000Z,PLAY_START,AUDIO,,Slow Tide
X,Harbour Fog,2024-05-06T07:12:00.000Z,PLAY_END,AUDIO,9000,Grey Pier
X,Harbour Fog,2024-05-06T07:22:00.000Z,PLAY_END,VIDEO,200000,Grey Pier
X,,2024-05-06T07:32:00.000Z,PLAY_END,AUDIO,200000,Grey Pier
"""
APPLE_DAILY = """\
Country,Media type,Date Played,Hours,Play Duration Milliseconds,Play Count,Skip Count,\
Track Description
ZZ,AUDIO,20240506,"7, 8",400000,2,0,Harbour Fog - Slow Tide
ZZ,AUDIO,20240506,9,2000,0,1,Harbour Fog - Grey Pier
"""
APPLE_LIBRARY = {
    "Content Type": "Song",
    "Title": "Slow Tide",
    "Artist": "Harbour Fog",
    "Genre": "Alternative",
    "Track Duration": 200000,
    "Track Play Count": 3,
    "Date Added To Library": AT,
}
YOUTUBE = {
    "header": "YouTube Music",
    "title": "Watched Slow Tide",
    "titleUrl": "https://music.youtube.com/watch?v=a",
    "subtitles": [{"name": "Harbour Fog - Topic", "url": "u"}],
    "time": AT,
}
YOUTUBE_PAGE = """\
<html><head><title>Watch History</title><style>.mdl-a{}</style></head><body>
<div class="outer-cell mdl-cell"><div class="header-cell"><p class="mdl-typography--title">YouTube \
Music<br></p></div><div class="content-cell">Watched\
\u00a0<a href="https://music.youtube.com/watch?v=a">Slow &amp; Tide</a><br>\
<a href="https://www.youtube.com/channel/u">Harbour Fog - Topic</a><br>May 6, 2024, \
9:08:09\u202fAM CEST<br></div></div>\
<div class="outer-cell mdl-cell"><div class="header-cell"><p class="mdl-typography--title">YouTube\
<br></p></div><div class="content-cell">Watched <a href="https://www.youtube.com/watch?v=b">Bikes</a>\
<br><a href="https://www.youtube.com/channel/w">Wheel Shed</a><br>May 6, 2024</div></div>
</body></html>
"""
LISTEN = {
    "listened_at": UNIX,
    "track_metadata": {"artist_name": "Harbour Fog", "track_name": "Slow Tide"},
}
MALOJA = {
    "scrobbles": [
        {
            "time": UNIX,
            "track": {"artists": ["Harbour Fog", "Ada Quill"], "title": "Slow Tide", "length": 200},
            "duration": 60,
        }
    ]
}
KOITO = {
    "version": "1",
    "listens": [
        {
            "listened_at": AT,
            "track": {
                "duration": 200,
                "aliases": [
                    {"alias": "slow tide", "is_primary": False},
                    {"alias": "Slow Tide", "is_primary": True},
                ],
            },
            "artists": [
                {"is_primary": False, "aliases": [{"alias": "Ada Quill", "is_primary": True}]},
                {"is_primary": True, "aliases": [{"alias": "Harbour Fog", "is_primary": True}]},
            ],
        }
    ],
}
GHAN_TRACK = {
    "artist": {"#text": "Harbour Fog"},
    "album": {"#text": "X"},
    "name": "Slow Tide",
    "date": {"uts": str(UNIX), "#text": "06 May 2024, 07:08"},
}
PANO = {"timeMs": UNIX * 1000, "track": "Slow Tide", "artist": "Harbour Fog", "durationMs": 200000}
LIBRARY_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>Major Version</key><integer>1</integer>
<key>Tracks</key><dict>
<key>7</key><dict><key>Track ID</key><integer>7</integer>
<key>Name</key><string>Slow &amp; Tide</string>
<key>Artist</key><string>Harbour Fog</string><key>Play Count</key><integer>3</integer></dict>
<key>8</key><dict><key>Track ID</key><integer>8</integer><key>Name</key><string>Grey Pier</string>
<key>Album Artist</key><string>Harbour Fog</string></dict>
<key>9</key><dict><key>Track ID</key><integer>9</integer><key>Artist</key><string>Talkers</string>
<key>Podcast</key><true/></dict>
</dict><key>Playlists</key><array>
<dict><key>Master</key><true/><key>Name</key><string>Library</string><key>Playlist Items</key>
<array><dict><key>Track ID</key><integer>7</integer></dict></array></dict>
<dict><key>Name</key><string>Rain</string><key>Playlist Items</key>
<array><dict><key>Track ID</key><integer>8</integer></dict>
<dict><key>Track ID</key><integer>9</integer></dict></array></dict>
</array></dict></plist>
"""
XSPF = """\
<?xml version="1.0" encoding="UTF-8"?><playlist version="1" xmlns="http://xspf.org/ns/0/">
<title>Rain</title><trackList><track><title>Slow Tide</title><creator>Harbour Fog</creator></track>
<track><location>file:///a.mp3</location></track></trackList></playlist>
"""
JSPF = {
    "playlist": {
        "title": "Rain",
        "track": [
            {
                "title": "Slow Tide",
                "creator": "Harbour Fog",
                "identifier": [
                    "https://musicbrainz.org/recording/0f6e2ba6-0d22-4fc9-93f5-8a1f0f5a2d3e"
                ],
            }
        ],
    }
}
BACKUP = (
    "2024-05-06 07:07:09.1\tu1\ti1\tAudio\tHarbour Fog - Slow Tide (X (Deluxe))\tp\tc\td\t60\n"
    "2024-05-06 08:05:09.1\tu1\ti2\tMovie\tLong Film\tp\tc\td\t5000\n"
)
WORKBOOK = {
    "[Content_Types].xml": "<Types/>",
    "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="rId1" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns:r="urn:r"><sheets><sheet name="10_listeningHistory" '
    'r:id="rId1"/></sheets></workbook>',
    "xl/sharedStrings.xml": "<sst><si><t>Harbour Fog</t></si><si><r><t>Slow </t></r><r><t>Tide</t>"
    "</r></si></sst>",
    "xl/worksheets/sheet1.xml": "<worksheet><sheetData>"
    '<row r="1"><c r="A1" t="inlineStr"><is><t>Song Title</t></is></c>'
    '<c r="B1" t="str"><v>Artist</v></c><c r="D1" t="str"><v>Listening Time</v></c>'
    '<c r="E1" t="str"><v>Date</v></c></row>'
    '<row r="2"><c r="A2" t="s"><v>1</v></c><c r="B2" t="s"><v>0</v></c><c r="D2"><v>60</v></c>'
    '<c r="E2" t="str"><v>2024-05-06 07:08:09</v></c></row>'
    '<row r="3"><c r="A3" t="s"><v>1</v></c><c r="B3" t="s"><v>9</v></c></row>'
    "</sheetData></worksheet>",
}
TAUTULLI = "date,media_type,grandparent_title,parent_title,title,user,duration,stopped\n"


def zipped(members: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


PLAYED = ("Harbour Fog", "Slow Tide", "played", 1, True)
SAVED = ("Harbour Fog", "Slow Tide", "saved", 1, False)
LISTED = ("Harbour Fog", "Slow Tide", "listed", 1, False)
# format -> file name, content, (artist, title, kind, count, has a time) of each row, left out
SAMPLES = {
    "apple-activity": (
        "a.csv",
        APPLE_ACTIVITY,
        [PLAYED],
        {"events that are no plays": 1, "shorter than 30 s": 1, "videos": 1, "no artist": 1},
    ),
    "apple-daily": (
        "a.csv",
        APPLE_DAILY,
        [("Harbour Fog", "Slow Tide", "played", 2, True)],
        {"skipped": 1},
    ),
    "apple-last-plays": (
        "a.csv",
        f"Track Name,Last Played Date,Is User Initiated\nHarbour Fog - Slow Tide,{UNIX}000,true\n",
        [PLAYED],
        {},
    ),
    "apple-library": (
        "a.json",
        json.dumps([APPLE_LIBRARY, {**APPLE_LIBRARY, "Content Type": "Music Video"}]),
        [("Harbour Fog", "Slow Tide", "played", 3, False)],
        {"no songs": 1},
    ),
    "apple-library-table": (
        "a.csv",
        "Title,Artist,Track Play Count,Date Added To Library\nSlow Tide,Harbour Fog,,\n",
        [SAVED],
        {},
    ),
    "apple-top-content": (
        "a.csv",
        "Content Name,Play Duration,Artist\nSlow Tide,1,Harbour Fog\n",
        [],
        {"in a summary of other files": 1},
    ),
    "deezer": ("deezer-data_1.xlsx", zipped(WORKBOOK), [PLAYED], {"no artist": 1}),
    "youtube-history": (
        "watch-history.json",
        json.dumps(
            [
                YOUTUBE,
                {**YOUTUBE, "subtitles": []},
                {**YOUTUBE, "details": [{"name": "From Google Ads"}]},
            ]
        ),
        [PLAYED],
        {"no artist": 1, "adverts": 1},
    ),
    "youtube-history-page": (
        "watch-history.html",
        YOUTUBE_PAGE,
        [("Harbour Fog", "Slow & Tide", "played", 1, True)],
        {"videos": 1},
    ),
    "youtube-library": (
        "a.csv",
        "Video-ID,Song Title,Album Title,Artist Name 1,Artist Name 2\na,Slow Tide,X,Harbour Fog,\n",
        [SAVED],
        {},
    ),
    "youtube-playlist": (
        "a.csv",
        "Video ID,Playlist Video Creation Timestamp\na,2024-05-06T07:08:09+00:00\n",
        [],
        {"songs that are only ids, without names": 1},
    ),
    "lastfmstats": (
        "a.json",
        json.dumps(
            {
                "username": "u",
                "scrobbles": [
                    {"track": "Slow Tide", "artist": "Harbour Fog", "date": UNIX * 1000},
                    {"track": "Slow Tide", "artist": "", "date": UNIX * 1000},
                ],
            }
        ),
        [PLAYED],
        {"no artist": 1},
    ),
    "lastfm-pages": (
        "a.json",
        json.dumps([{"track": [GHAN_TRACK, {**GHAN_TRACK, "date": None}]}, {"track": []}]),
        [PLAYED],
        {"playing when the file was written": 1},
    ),
    "librefm": (
        "a.csv",
        f"+ACM- notes\nArtist,Track,Album,Time\nHarbour Fog,Slow Tide,X,{UNIX}\n",
        [PLAYED],
        {},
    ),
    "listens-to-submit": (
        "a.json",
        json.dumps({"listen_type": "import", "payload": [LISTEN, {"listened_at": 1}]}),
        [PLAYED],
        {"no artist": 1},
    ),
    "maloja": ("a.json", json.dumps(MALOJA), [PLAYED], {}),
    "koito": ("a.json", json.dumps(KOITO), [PLAYED], {}),
    "pano": (
        "a.jsonl",
        json.dumps(PANO) + "\n" + json.dumps(PANO)[:-9],
        [PLAYED],
        {"other rows": 1},
    ),
    "scrobbler-log": (
        ".scrobbler.log",
        f"#AUDIOSCROBBLER/1.1\n#TZ/UTC\nHarbour Fog\tX\tSlow Tide\t4\t200\tL\t{UNIX}\t\n"
        f"Harbour Fog\tX\tGrey Pier\t5\t200\tS\t{UNIX}\t\nbroken\n",
        [PLAYED],
        {"skipped": 1, "other rows": 1},
    ),
    "tidal": (
        "streaming.csv",
        "Your streams\n\nartist_name,track_title,entry_date,product_type,stream_duration_ms\n"
        "Harbour Fog,Slow Tide,06/05/2024 07:08,TRACK,60000\n"
        "Harbour Fog,Slow Tide,06/05/2024 07:09,TRACK,2000\n",
        [PLAYED],
        {"shorter than 30 s": 1},
    ),
    "spinitron": (
        "a.csv",
        'Morning Show\nDJ Reed\n"A paragraph, in\nquotes"\n\nDate-time,Artist,Song,Release,Label\n'
        "05/06/2024 7:08 AM,Harbour Fog,Slow Tide,X,Y\n,,Weather,,\n",
        [PLAYED],
        {"no artist": 1},
    ),
    "soundcloud": (
        "a.csv",
        f"play_time,track_title,track_url\n{AT},Slow Tide,https://soundcloud.com/harbour-fog/slow\n"
        f"{AT},Grey Pier,https://soundcloud.com/user-123/grey\n",
        [("harbour fog", "Slow Tide", "played", 1, True)],
        {"no artist": 1},
    ),
    "soundcloud-likes": (
        "likes.csv",
        "Created At,Track Url,Track Title\n,https://soundcloud.com/x/y,Harbour Fog - Slow Tide\n",
        [SAVED],
        {},
    ),
    "shazam": (
        "a.csv",
        "Shazam Library\nIndex,TagTime,Title,Artist,URL,TrackKey\n1,,Slow Tide,Harbour Fog,u,1\n",
        [SAVED],
        {},
    ),
    "google-play": (
        "a.csv",
        "Title,Album,Artist,Duration (ms),Rating,Play Count,Removed\n"
        '"Slow &amp; Tide","X","Harbour Fog","200000","5","3",""\n'
        '"Grey Pier","X","Harbour Fog","200000","5","3","Yes"\n',
        [("Harbour Fog", "Slow & Tide", "played", 3, False)],
        {"removed songs": 1},
    ),
    "tautulli": (
        "a.csv",
        f"{TAUTULLI}{UNIX},track,Harbour Fog,X,Slow Tide,u1,60,{UNIX}\n{UNIX},movie,,,Film,u1,9,\n",
        [PLAYED],
        {"videos": 1},
    ),
    "jellyfin": (
        "a.csv",
        "DateCreated,UserId,ItemType,ItemName,PlayDuration\n"
        "2024-05-06 07:07:09,u1,Audio,Slow Tide - Harbour Fog,60\n",
        [PLAYED],
        {},
    ),
    "jellyfin-backup": ("a.tsv", BACKUP, [PLAYED], {"videos": 1}),
    "itunes": (
        "Library.xml",
        LIBRARY_XML,
        [
            ("Harbour Fog", "Slow & Tide", "played", 3, False),
            ("Harbour Fog", "Grey Pier", "saved", 1, False),
            ("Harbour Fog", "Grey Pier", "listed", 1, False),
        ],
        {"podcasts": 1, "not in the library": 1},
    ),
    "m3u": (
        "a.m3u8",
        "#EXTM3U\n#PLAYLIST:Rain\n#EXTINF:200,Harbour Fog - Slow Tide\na/b.flac\nc/d.flac\n"
        "#EXTINF:200,Grey Pier\ne/f.flac\n",
        [LISTED],
        {"no artist": 2},
    ),
    "xspf": ("a.xspf", XSPF, [LISTED], {"no artist": 1}),
    "discoveries": (
        "a.csv",
        "rank,artist,heard_by,youtube\n1,Harbour Fog,Amber Otter,https://example.org\n",
        [("Harbour Fog", None, "listed", 1, False)],
        {},
    ),
    "jspf": ("a.jspf", json.dumps(JSPF), [LISTED], {}),
}


def read(name: str, content: str | bytes) -> Reading:
    return read_all([(name, content)])


def read_all(files: Iterable[tuple[str, str | bytes]]) -> Reading:
    return read_files(
        [
            (name, io.BytesIO(content if isinstance(content, bytes) else content.encode()))
            for name, content in files
        ]
    )


def rows(reading: Reading) -> list[tuple[str, str | None, str, int, bool]]:
    return [(p.artist, p.track, p.kind, p.count, p.at is not None) for p in reading.plays]


def test_every_format_has_a_sample():
    assert set(SAMPLES) == {each.kind for each in FORMATS}
    assert len(SAMPLES) == len(FORMATS)


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_file_is_recognised_and_its_music_is_read(kind):
    name, content, expected, left_out = SAMPLES[kind]
    raw = content if isinstance(content, bytes) else content.encode()
    found = find_format(io.BytesIO(raw), name)
    assert found is not None and found.kind == kind
    if not expected:
        with pytest.raises(NoMusic, match=next(iter(left_out))):
            read(name, content)
        return
    reading = read(name, content)
    assert rows(reading) == expected
    assert reading.origin == "file"
    assert dict(reading.reports[0].left_out) == left_out


def documented() -> dict[str, str]:
    """Return format and what is read of it, from the table in docs/sources.md."""
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    lines = text.partition("## Files\n")[2].partition("\n## ")[0].splitlines()
    cells = [line.strip("|").split("|") for line in lines if line.startswith("| ")]
    return {row[0].strip(): row[2].strip() for row in cells[1:]}


# Formats whose readers are older than the table of formats.
OTHERS = {
    *("Spotify: extended streaming history", "Spotify: account data", "Exportify", "CSV"),
    *("ListenBrainz: export", "Profile JSON Lines"),
}


def test_the_documentation_lists_every_format():
    assert set(documented()) == {each.label for each in FORMATS} | OTHERS


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.kind)
def test_the_documentation_says_what_is_read(each):
    said = documented()[each.label]
    read_kinds = SAMPLES[each.kind][2]
    words = {"saved": "saved tracks", "listed": "playlists"}
    for _, _, kind, _, is_timed in read_kinds:
        assert words.get(kind, "plays" if is_timed else "numbers of plays") in said
    assert said.startswith("nothing") == (not read_kinds)


TIMED = [kind for kind, sample in SAMPLES.items() if PLAYED in sample[2]]


@pytest.mark.parametrize("kind", TIMED)
def test_the_time_of_a_play_is_read(kind):
    name, content, _, _ = SAMPLES[kind]
    (play,) = read(name, content).plays
    assert abs(play.at - datetime.fromisoformat(AT)).total_seconds() < 120


def test_one_play_in_files_of_all_formats_counts_once():
    reading = read_all((f"{kind} {SAMPLES[kind][0]}", SAMPLES[kind][1]) for kind in TIMED)
    assert sum(play.count for play in reading.plays if play.track == "Slow Tide") == 1
    assert len(TIMED) > 15


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_truncated_file_is_read_in_part_or_refused(kind):
    name, content, _, _ = SAMPLES[kind]
    raw = content if isinstance(content, bytes) else content.encode()
    for length in range(1, len(raw), 7):
        try:
            read(name, raw[:length])
        except TwoTowerError:
            continue


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


@pytest.mark.parametrize(
    "kind", [kind for kind, sample in SAMPLES.items() if sample[1][:1] in ("{", "[")]
)
def test_wrong_types_in_json_raise_nothing_unexpected(kind):
    name, content, _, _ = SAMPLES[kind]
    data = json.loads(content.splitlines()[0])
    for number in range(30):
        for wrong in WRONG_VALUES:
            try:
                read(name, json.dumps(replaced(data, number, wrong)))
            except TwoTowerError:
                continue


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
    ("before", "after"),
    [("Watched ", ""), ("", " angesehen"), ("Guardat: «", "»"), ("", " を見た")],
)
def test_the_phrase_around_titles_is_learnt_in_any_language(before, after):
    titles = ["Slow Tide", "Grey Pier", "Low", "High Water", "Neap", "Spring Ebb", "Red Flood"]
    titles += ["Rip", "The Long Way Home", "Monkey", "Washer"]
    history = [{**YOUTUBE, "title": f"{before}{title}{after}"} for title in titles]
    assert [play.track for play in read("a.json", json.dumps(history)).plays] == titles


def test_members_of_archives_are_known_by_their_paths():
    youtube = "Takeout/YouTube and YouTube Music"
    assert is_member(f"{youtube}/history/watch-history.json")
    assert is_member("Takeout/YouTube y YouTube Music/historial/historial de reproducciones.html")
    assert is_member(f"{youtube}/music (library and uploads)/music library songs.csv")
    assert is_member("Apple_Media_Services/Apple Music Activity/Apple Music Play Activity.csv")
    assert not is_member(f"{youtube}/history/search-history.json")
    assert not is_member("Takeout/YouTube y YouTube Music/historial/historial de búsqueda.html")
    assert not is_member(f"{youtube}/comments/comments.csv")
    assert not is_member("Apple_Media_Services/Stores Activity/Store Transaction History.csv")


def test_an_older_play_activity_says_which_file_has_the_artists():
    table = APPLE_ACTIVITY.replace("Artist Name", "Build Version")
    with pytest.raises(NoMusic, match="which Play History Daily Tracks has"):
        read("a.csv", table)


def test_files_of_apple_that_have_the_same_plays_count_once():
    daily = APPLE_DAILY + "ZZ,AUDIO,20240507,9,60000,1,0,Harbour Fog - Grey Pier\n"
    last_plays = (
        "Track Name,Last Played Date,Is User Initiated\n"
        f"Harbour Fog - Rip,{UNIX - 9 * 86_400}000,true\n"
        f"Harbour Fog - Grey Pier,{UNIX + 86_400}000,true\n"
    )
    library = json.dumps([APPLE_LIBRARY])
    contents = (library, last_plays, daily, APPLE_ACTIVITY)
    reading = read_all(zip(("1.json", "2.csv", "3.csv", "4.csv"), contents, strict=True))
    assert {(play.track, play.kind): play.count for play in reading.plays} == {
        ("Slow Tide", "played"): 1,  # the library's three plays and those of the day are among it
        ("Slow Tide", "saved"): 1,
        ("Grey Pier", "played"): 1,  # on a day that the activity lacks
        ("Rip", "played"): 1,  # before the two other histories
    }
    assert [report.plays for report in reading.reports] == [1, 1, 1, 1]


def test_times_in_a_workbook_may_be_numbers_of_days():
    sheet = WORKBOOK["xl/worksheets/sheet1.xml"]
    sheet = sheet.replace('t="str"><v>2024-05-06 07:08:09', "><v>45418.297326388887")
    (play,) = read("a.xlsx", zipped({**WORKBOOK, "xl/worksheets/sheet1.xml": sheet})).plays
    assert abs(play.at - datetime.fromisoformat(AT)).total_seconds() < 61


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


def test_lists_that_the_app_offers_can_be_brought_back():
    found = [Discovery("Harbour Fog", ("Amber Otter",)), Discovery("Tide - Pool, & Co", ("x",))]
    files = {
        "a.csv": to_csv(found).encode(),
        "a.xspf": to_xspf(found, "Rain"),
        "a.m3u8": to_m3u(found, "Rain").encode(),
    }
    for name, content in files.items():
        plays = read(name, content).plays
        assert [play.artist for play in plays] == ["Harbour Fog", "Tide - Pool, & Co"]
        assert {play.kind for play in plays} == {"listed"}
