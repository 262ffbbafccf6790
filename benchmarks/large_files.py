"""Made-up files of one listener, as large as wanted, in the formats that can be large.

Each play is at its own time, every four minutes, of one of TRACKS tracks.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

ARTISTS, TRACKS = 4_000, 30_000


def _plays() -> Iterator[tuple[datetime, int]]:
    """Yield time and number of the track, without end."""
    at, number = datetime(2010, 1, 1, tzinfo=UTC), 0
    while True:
        yield at, number * 7919 % TRACKS
        at, number = at + timedelta(minutes=4), number + 1


def _title(track: int) -> str:
    return f"A song of an invented band, number {track}"


def _artist(track: int) -> str:
    return f"Invented Band {track % ARTISTS}"


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def spotify() -> Iterator[bytes]:
    """Yield the rows of an extended streaming history."""
    for number, (at, track) in enumerate(_plays()):
        yield json.dumps(
            {
                "ts": at.isoformat().replace("+00:00", "Z"),
                "platform": "Android OS 14 API 34 (samsung, SM-A546B)",
                "ms_played": 31_000 + number % 200_000,
                "conn_country": "ZZ",
                "ip_addr": "192.0.2.1",
                "master_metadata_track_name": _title(track),
                "master_metadata_album_artist_name": _artist(track),
                "master_metadata_album_album_name": f"An album of theirs, number {track % 9000}",
                "spotify_track_uri": f"spotify:track:{track:022d}",
                "episode_name": None,
                "episode_show_name": None,
                "spotify_episode_uri": None,
                "audiobook_title": None,
                "audiobook_uri": None,
                "audiobook_chapter_uri": None,
                "audiobook_chapter_title": None,
                "reason_start": "trackdone",
                "reason_end": "trackdone",
                "shuffle": False,
                "skipped": False,
                "offline": False,
                "offline_timestamp": None,
                "incognito_mode": False,
            }
        ).encode()


def apple() -> Iterator[bytes]:
    """Yield the lines of a Play Activity; every second event is the start of a play."""
    for at, track in _plays():
        cells = f"An album of theirs,{_artist(track)},build/22A,Invented List,IPHONE"
        times = f"{_iso(at)},{_iso(at - timedelta(minutes=3))}"
        for event, end, played in (("PLAY_START", "", ""), ("PLAY_END", "NATURAL_END", "180000")):
            yield (
                f"{cells},{end},{times},{event},ORIGINATING_DEVICE,,192.0.2.1,Oslo,200000,AUDIO,"
                f"false,{played},{_title(track)},IPHONE,3600\n"
            ).encode()


def youtube_json() -> Iterator[bytes]:
    """Yield the rows of a watch-history.json."""
    for at, track in _plays():
        yield json.dumps(
            {
                "header": "YouTube Music",
                "title": f"Watched {_title(track)}",
                "titleUrl": f"https://music.youtube.com/watch?v={track:011d}",
                "subtitles": [
                    {
                        "name": f"{_artist(track)} - Topic",
                        "url": f"https://www.youtube.com/channel/UC{track % ARTISTS:022d}",
                    }
                ],
                "time": _iso(at),
                "products": ["YouTube"],
                "activityControls": ["YouTube watch history"],
            }
        ).encode()


def youtube_html() -> Iterator[bytes]:
    """Yield the entries of a watch-history.html."""
    cell = "content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1"
    for at, track in _plays():
        yield (
            '<div class="outer-cell mdl-cell mdl-cell--12-col mdl-shadow--2dp">'
            '<div class="mdl-grid"><div class="header-cell mdl-cell mdl-cell--12-col">'
            '<p class="mdl-typography--title">'
            f'YouTube Music<br></p></div><div class="{cell}">Watched\u00a0'
            f'<a href="https://music.youtube.com/watch?v={track:011d}">{_title(track)}</a><br>'
            f'<a href="https://www.youtube.com/channel/UC{track % ARTISTS:022d}">'
            f"{_artist(track)} - Topic</a><br>{at.strftime('%b %d, %Y, %I:%M:%S %p')} UTC<br></div>"
            f'<div class="{cell} mdl-typography--text-right"></div><div class="content-cell">'
            "<b>Products:</b><br>&emsp;YouTube<br></div></div></div>"
        ).encode()


def itunes() -> Iterator[bytes]:
    """Yield the tracks of a Library.xml."""
    for number, (at, _) in enumerate(_plays(), 1):
        fields = {
            **{
                "Name": f"{_title(number)}",
                "Artist": _artist(number),
                "Album": "An album of theirs",
            },
            **{"Genre": "Alternative", "Kind": "AAC audio file", "Persistent ID": f"{number:016X}"},
            **{"Location": f"file:///Users/nobody/Music/{_artist(number)}/{number}.m4a"},
        }
        numbers = {"Track ID": number, "Total Time": 200_000, "Year": 2002, "Play Count": 3}
        numbers |= {"Size": 7_000_000, "Bit Rate": 256, "Sample Rate": 44_100}
        yield (
            f"<key>{number}</key>\n<dict>\n"
            + "".join(f"<key>{k}</key><integer>{v}</integer>\n" for k, v in numbers.items())
            + "".join(f"<key>{k}</key><string>{v}</string>\n" for k, v in fields.items())
            + f"<key>Date Added</key><date>{at.strftime('%Y-%m-%dT%H:%M:%SZ')}</date>\n</dict>\n"
        ).encode()


def lastfmstats() -> Iterator[bytes]:
    """Yield the scrobbles of a JSON file of lastfmstats.com."""
    for at, track in _plays():
        yield json.dumps(
            {
                "track": _title(track),
                "artist": _artist(track),
                "album": f"An album of theirs, number {track % 9000}",
                "albumId": "",
                "date": int(at.timestamp() * 1000),
            }
        ).encode()


_APPLE_HEADER = (
    b"Album Name,Artist Name,Build Version,Container Name,Device Type,End Reason Type,"
    b"Event End Timestamp,Event Start Timestamp,Event Type,Feature Name,Grouping,"
    b"Client IP Address,IP City,Media Duration In Milliseconds,Media Type,Offline,"
    b"Play Duration Milliseconds,Song Name,Source Type,UTC Offset In Seconds\n"
)
_ITUNES_START = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n<dict>\n'
    b"<key>Tracks</key>\n<dict>\n"
)
_ITUNES_END = (
    b"</dict>\n<key>Playlists</key>\n<array>\n<dict><key>Name</key><string>All</string>"
    b"<key>Playlist Items</key><array>%s</array></dict>\n</array>\n</dict>\n</plist>\n"
    % b"".join(
        b"<dict><key>Track ID</key><integer>%d</integer></dict>" % n for n in range(1, 50_001)
    )
)
_PAGE_START = b"<html><head><title>YouTube Watch History</title></head><body>"
# File name -> what comes before, between and after the rows, and the rows.
KINDS: Mapping[str, tuple[bytes, bytes, bytes, Callable[[], Iterator[bytes]]]] = {
    "Streaming_History_Audio_0.json": (b"[", b",\n", b"]", spotify),
    "Apple Music Play Activity.csv": (_APPLE_HEADER, b"", b"", apple),
    "watch-history.json": (b"[", b",\n", b"]", youtube_json),
    "watch-history.html": (_PAGE_START, b"", b"</body></html>", youtube_html),
    "Library.xml": (_ITUNES_START, b"", _ITUNES_END, itunes),
    "lastfmstats.json": (b'{"username":"nobody","scrobbles":[', b",", b"]}", lastfmstats),
}


def write(name: str, folder: Path, megabytes: int) -> Path:
    """Write a file of about this size, and return its path."""
    start, between, end, rows = KINDS[name]
    path = folder / name
    with path.open("wb") as file:
        written = file.write(start)
        for number, row in enumerate(rows()):
            written += file.write(between + row if number else row)
            if written >= megabytes << 20:
                break
        file.write(end)
    return path
