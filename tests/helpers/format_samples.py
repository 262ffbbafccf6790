"""One small made-up file of each format, with the rows that are read and those left out."""

import io
import json
import zipfile
from collections.abc import Iterable

from twotower.sources.collector import Reading
from twotower.sources.reader import read_files

AT = "2024-05-06T07:08:09Z"
UNIX = 1714979289  # the same time

SPOTIFY = {
    "ts": AT,
    "ms_played": 60000,
    "master_metadata_track_name": "Slow Tide",
    "master_metadata_album_artist_name": "Harbour Fog",
}
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
    "extended": (
        "a.json",
        json.dumps([SPOTIFY, {**SPOTIFY, "ms_played": 2000}]),
        [PLAYED],
        {"shorter than 30 s": 1},
    ),
    "account": (
        "a.json",
        json.dumps(
            [
                {
                    "endTime": "2024-05-06 07:08",
                    "artistName": "Harbour Fog",
                    "trackName": "Slow Tide",
                    "msPlayed": 60000,
                },
                {"endTime": "2024-05-06 07:09", "podcastName": "Talkers", "msPlayed": 60000},
            ]
        ),
        [PLAYED],
        {"podcasts": 1},
    ),
    "library": (
        "YourLibrary.json",
        json.dumps({"tracks": [{"artist": "Harbour Fog", "track": "Slow Tide"}], "albums": [{}]}),
        [SAVED],
        {"saved albums": 1},
    ),
    "playlists": (
        "Playlist1.json",
        json.dumps(
            {
                "playlists": [
                    {
                        "name": "Rain",
                        "items": [
                            {"track": {"artistName": "Harbour Fog", "trackName": "Slow Tide"}}
                        ],
                    }
                ]
            }
        ),
        [LISTED],
        {},
    ),
    "listens": ("1.jsonl", json.dumps(LISTEN) + "\n{}\n", [PLAYED], {"other rows": 1}),
    "table": (
        "a.csv",
        f"artist,track,date\nHarbour Fog,Slow Tide,{UNIX}\n,x,\n",
        [PLAYED],
        {"no artist": 1},
    ),
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
