"""Exportify and other tables: columns by name, several notations, and what goes wrong."""

import csv
import gzip
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.domain import AUDIO_RANGE, SPOTIFY_WEB_API, Play
from twotower.core.errors import SourceError, UnreadableExport
from twotower.core.settings import Settings
from twotower.sources.files.csv import csv_origin, read_csv

DATA = Settings.from_env().data
EXPORTIFY = sorted((DATA / "spotify-user-exports").glob("*/exportify*.csv.gz"))

NEW = (
    "Track URI,Track Name,Album Name,Artist Name(s),Release Date,Duration (ms),Popularity,Explicit,"
    "Added By,Added At,Genres,Record Label,Danceability,Energy,Key,Loudness,Mode,Speechiness,"
    "Acousticness,Instrumentalness,Liveness,Valence,Tempo,Time Signature\n"
)
OLD = (
    "Spotify ID,Artist IDs,Track Name,Album Name,Artist Name(s),Release Date,Duration (ms),"
    "Popularity,Added By,Added At,Genres,Danceability,Energy,Key,Loudness,Mode,Speechiness,"
    "Acousticness,Instrumentalness,Liveness,Valence,Tempo,Time Signature\n"
)
APP = (
    '"Track URI","Track Name","Artist URI(s)","Artist Name(s)","Album URI","Album Name",'
    '"Album Artist URI(s)","Album Artist Name(s)","Album Release Date","Album Image URL",'
    '"Disc Number","Track Number","Track Duration (ms)","Track Preview URL","Explicit",'
    '"Popularity","ISRC","Is Playable","Added By","Added At","Artist Genres"\n'
)


def new_row(artists: str = "Low", *, tempo: str = "96.5", signature: str = "4", date="2/15/2001"):
    return (
        f'spotify:track:1,Sunflower,Things,"{artists}",{date},278500,40,FALSE,,'
        f'2024-07-29T17:58:15Z,"slowcore,Dream Pop",Kranky,0.4,0.2,1,-13.5,1,0.03,0.5,0.1,0.1,0.3,'
        f"{tempo},{signature}\n"
    )


def old_row(artists: str, ids: str):
    return (
        f'1,"{ids}","Sunflower","Things","{artists}",2001,278500,40,spotify:user:x,'
        '2020-01-02T03:04:05Z,"slowcore",0.4,0.2,1,-13.5,1,0.03,0.5,0.1,0.1,0.3,96.5,4\n'
    )


def app_row(artists: str, uris: str):
    return (
        f'"spotify:track:1","Sunflower","{uris}","{artists}","a","Things","b","Low","2001-02","",'
        '"1","2","278500","","false","40","X","true","someone","2020-01-02T03:04:05Z","slowcore"\n'
    )


def read(text: str | bytes, name: str = "Liked_Songs.csv", encoding: str = "utf-8"):
    raw = text if isinstance(text, bytes) else text.encode(encoding)
    left_out: Counter[str] = Counter()
    return list(read_csv(io.BytesIO(raw), name, left_out=left_out)), dict(left_out)


def origin(text: str, encoding: str = "utf-8") -> str:
    file = io.BytesIO(text.encode(encoding))
    found = csv_origin(file)
    assert file.tell() == 0
    return found


def test_a_row_of_exportify_is_a_saved_track_with_genres_and_audio():
    plays, left_out = read(NEW + new_row(), encoding="utf-8-sig")
    assert plays == [
        Play(
            "Low",
            "Sunflower",
            kind="saved",
            at=datetime(2024, 7, 29, 17, 58, 15, tzinfo=UTC),
            genres=("slowcore", "dream pop"),
            audio={
                "danceability": 0.4,
                "energy": 0.2,
                "valence": 0.3,
                "acousticness": 0.5,
                "instrumentalness": 0.1,
                "liveness": 0.1,
                "speechiness": 0.03,
                "loudness": -13.5,
                "tempo": 96.5,
            },
            duration_s=278.5,
            released="2001-02-15",
        )
    ]
    assert left_out == {}


def test_any_other_file_of_exportify_is_a_playlist_named_as_the_file():
    plays, _ = read(NEW + new_row(), "folder/rainy_days.csv.gz")
    assert (plays[0].kind, plays[0].playlist) == ("listed", "rainy days")


def test_since_2025_semicolons_separate_artists_and_commas_do_not():
    plays, _ = read(NEW + new_row("Tyler, The Creator;Frank Ocean;Frank Ocean; ;Steve Lacy"))
    assert plays[0].artist == "Tyler, The Creator"
    assert plays[0].guests == ("Frank Ocean", "Steve Lacy")


@pytest.mark.parametrize(
    ("names", "ids", "artists"),
    [
        ("Low", "a", ["Low"]),
        ("Tyler, The Creator", "a", ["Tyler, The Creator"]),
        ("Tyler, The Creator,Frank Ocean", "a,b", ["Tyler, The Creator", "Frank Ocean"]),
        ("10,000 Maniacs", "a", ["10,000 Maniacs"]),
        ("10,000 Maniacs,Low", "a,b", ["10,000 Maniacs", "Low"]),
        ("One;Two", "a", ["One;Two"]),
        ("One, Two", "", ["One, Two"]),
        ("One,Two", "", ["One", "Two"]),
        ("One,Two, Three", "a,b,c,d", ["One,Two, Three"]),
    ],
)
def test_older_files_are_split_at_commas_only_if_the_number_of_artists_fits(
    names: str, ids: str, artists: list[str]
):
    plays, _ = read(OLD + old_row(names, ids))
    assert [plays[0].artist, *plays[0].guests] == artists


def test_exportify_app_separates_names_by_a_comma_and_a_space():
    text = APP + app_row("Tyler\\, The Creator, Frank Ocean", "a, b") + app_row("Low", "a")
    plays, _ = read(text, "x.csv")
    assert [play.artist for play in plays] == ["Tyler, The Creator", "Low"]
    assert plays[0].guests == ("Frank Ocean",)
    assert (plays[0].released, plays[0].genres) == ("2001-02", ("slowcore",))
    assert origin(text) == SPOTIFY_WEB_API


@pytest.mark.parametrize(("tempo", "signature"), [("0", "4"), ("96.5", "0"), ("0.0", "0")])
def test_tempo_or_time_signature_zero_means_not_analysed(tempo: str, signature: str):
    plays, _ = read(NEW + new_row(tempo=tempo, signature=signature))
    assert plays[0].audio == {}


def test_audio_out_of_range_is_left_out_by_itself():
    plays, _ = read("artist,energy,valence,tempo\nLow,1.5,0.5,nan\n")
    assert plays[0].audio == {"valence": 0.5}


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("6/25/2013", "2013-06-25"),
        ("25/6/2013", "2013-06-25"),
        ("2013-06-25", "2013-06-25"),
        ("2013-06", "2013-06"),
        ("1999", "1999"),
        ("0000", None),
        ("2013-13", None),
        ("someday", None),
        ("", None),
    ],
)
def test_release_dates_in_several_notations(written: str, iso: str | None):
    plays, _ = read(NEW + new_row(date=written))
    assert plays[0].released == iso


@pytest.mark.parametrize(
    "written",
    [
        "2015-03-12T14:33:00Z",
        "2015-03-12 14:33",
        "2015-03-12T15:33:00+01:00",
        "12 Mar 2015 14:33",
        "12 Mar 2015, 14:33",
        "1426170780",
        "1426170780000",
        "12/3/2015 14:33",
        "2015/03/12 14:33:00",
    ],
)
def test_times_in_several_notations(written: str):
    plays, _ = read(f'artist,track,date\nLow,Monkey,"{written}"\n')
    assert plays[0].at == datetime(2015, 3, 12, 14, 33, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "artist,track,plays\nLow,Monkey,3\n",
        "Artist;Title;Play Count\nLow;Monkey;3\n",
        "ARTIST NAME\tTrack Name\tScrobbles\r\nLow\tMonkey\t3\r\n",
        "sep=;\nplays;song;artist\n3;Monkey;Low\n",
        "\n\nartist|track|plays\n\nLow|Monkey|3",
        "Artist,Album,Track,Plays\rLow,Trust,Monkey,3\r",
        '"artist","track","plays"\n"Low","Monkey","3.0"\n',
        "Name,Artist,Time,Plays\nMonkey,Low,258,3\n",
        "uts,utc_time,artist,artist_mbid,album,track,plays\n1,x,Low,,,Monkey,3\n",
    ],
)
def test_a_plain_table_in_many_spellings(text: str):
    plays, left_out = read(text, "music.csv")
    assert [(p.artist, p.track, p.count, p.kind) for p in plays] == [("Low", "Monkey", 3, "played")]
    assert left_out == {}
    assert origin(text) == "file"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_of_spreadsheets(encoding: str):
    plays, _ = read("artist;track\nSigur Rós;Svefn-g-englar\nLow;–\n", encoding=encoding)
    assert [play.artist for play in plays] == ["Sigur Rós", "Low"]
    assert plays[1].track == "–"


def test_a_last_fm_export_without_headers_is_recognised_by_its_dates():
    text = 'Low,Trust,Monkey,12 Mar 2015 14:33\n"Godspeed, You",,Storm,11 Mar 2015 10:00\n'
    plays, _ = read(text, "someone.csv")
    assert [(play.artist, play.track) for play in plays] == [
        ("Low", "Monkey"),
        ("Godspeed, You", "Storm"),
    ]
    plays, _ = read("Artist,Album,Track,Date#someone\n" + text, "someone.csv")
    assert len(plays) == 2
    assert plays[0].at == datetime(2015, 3, 12, 14, 33, tzinfo=UTC)


def test_a_count_may_have_thousands_separators_but_must_be_a_count():
    rows = ['"1,234"', "1.234", "1 234", "", "7", "many", "0", "-3", "nan", "inf", "1e30"]
    text = "artist;track;plays\n" + "".join(f"Low;T{n};{row}\n" for n, row in enumerate(rows))
    plays, left_out = read(text)
    assert [(play.count, play.kind) for play in plays] == [
        *((1234, "played"), (1234, "played"), (1234, "played")),
        *((1, "saved"), (7, "played"), (1, "saved")),  # an empty cell, and 0: known but not played
    ]
    assert left_out == {"no number of plays": 5}


def test_short_plays_are_recognised_if_a_table_has_durations():
    plays, left_out = read("artist,track,ms_played\nLow,A,29999\nLow,B,30000\nLow,C,soon\n")
    assert [play.ms_played for play in plays] == [29999, 30000]
    assert left_out == {"no duration": 1}


def test_podcasts_and_rows_without_an_artist_are_counted():
    text = "Track URI,Track Name,Artist Name(s)\nspotify:episode:1,A,Show\nspotify:track:1,B,\n,\n"
    assert read(text) == ([], {"podcasts": 1, "no artist": 1})


def test_names_keep_html_and_lose_control_characters():
    plays, _ = read('artist,track\n"<img src=x onerror=alert(1)>\x07","a\nb"\n')
    assert (plays[0].artist, plays[0].track) == ("<img src=x onerror=alert(1)>", "a b")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"song,year\nMonkey,2001\n", "no column is named artist"),
        (b"<html><body>404</body></html>", "no column is named artist"),
        (b"%PDF-1.7\n\x00\x01\xff\xfe", "isn't a music file that we know"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "isn't a music file that we know"),
        (b"\x00\x00\x00\x18ftyp", "isn't a music file that we know|no column|can't be read"),
        (b"artist,track\n" + b"x" * 3_000_000, "can't be read from here"),
        (b"\xff\xfea\x00r", "no column|can't be read"),
    ],
)
def test_a_file_that_is_no_music_table_is_one_clear_error(raw: bytes, says: str):
    with pytest.raises(UnreadableExport, match=says) as caught:
        read(raw, "notes.csv")
    assert caught.value.where.startswith("notes.csv")
    assert "\n" not in str(caught.value)


def test_every_file_of_exportify_has_the_origin_of_the_web_api():
    for text in (NEW, OLD, APP, "Spotify URI,Track Name,Artist Name\n", "sep=,\n" + NEW):
        assert origin(text) == SPOTIFY_WEB_API
        assert origin(text, "utf-16") == SPOTIFY_WEB_API
    assert origin("artist,track\n") == "file"


FIELD = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)


@given(st.lists(st.tuples(st.booleans(), st.lists(FIELD, max_size=6)), max_size=12))
def test_damaged_rows_never_hide_a_valid_one(rows: list[tuple[bool, list[str]]]):
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["artist", "track", "plays", "genres", "energy", "date"])
    for valid, junk in rows:
        table.writerow(["Low", "Monkey", "2", "slowcore", "0.4", "2015-03-12"] if valid else junk)
    plays, _ = read(text.getvalue())
    whole = [
        play for play in plays if (play.artist, play.track, play.count) == ("Low", "Monkey", 2)
    ]
    assert len(whole) == sum(valid for valid, _ in rows)
    assert all(play.artist and play.count >= 1 for play in plays)


@given(st.binary(max_size=300))
def test_any_bytes_lead_to_plays_or_our_errors(raw: bytes):
    for start in (b"", b"artist,track\nLow,", NEW.encode()):
        try:
            plays, _ = read(start + raw)
        except SourceError:
            continue
        assert start or raw.strip()
        assert all(isinstance(play, Play) for play in plays)


@pytest.mark.skipif(not EXPORTIFY, reason="no Exportify file in the data folder")
@pytest.mark.parametrize("path", EXPORTIFY, ids=lambda path: path.name)
def test_a_real_file_agrees_with_a_count_by_hand(path: Path):
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with gzip.open(path) as file:
        assert csv_origin(file) == SPOTIFY_WEB_API
        plays = list(read_csv(file, path.name))
    assert len(plays) == len(rows)
    assert [";".join((p.artist, *p.guests)) for p in plays] == [
        ";".join(dict.fromkeys(row["Artist Name(s)"].split(";"))) for row in rows
    ]
    measured = sum(float(row["Tempo"] or 0) > 0 for row in rows)
    assert sum(bool(play.audio) for play in plays) == measured
    for play in plays:
        assert play.kind == "saved"
        assert play.at is not None
        assert play.released is not None
        for name, value in play.audio.items():
            low, high = AUDIO_RANGE[name]
            assert low <= value <= high
