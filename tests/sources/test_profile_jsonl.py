"""Profile JSON Lines: read, written, and errors with line and field."""

import gzip
import io
import json
import re
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core import origins
from twotower.core.domain import (
    AUDIO_RANGE,
    DEMO,
    HOURS,
    SPOTIFY_WEB_API,
    SYNTHETIC,
    Artist,
    Playlist,
    Profile,
    Spread,
    Track,
)
from twotower.core.errors import BadProfile
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.readers import DATASETS
from twotower.sources.datasets.source_weight import SOURCE_WEIGHT
from twotower.sources.profile_jsonl import profile_to_json, read_profiles, write_profiles
from twotower.sources.profile_parser import profile_from_json
from twotower.sources.services import lastfm, listenbrainz

ROOT = Path(__file__).resolve().parents[2]


def read(text: str | bytes, **options: object) -> list[Profile]:
    file = io.BytesIO(text) if isinstance(text, bytes) else io.StringIO(text)
    return list(read_profiles(file, **options))


def line(**fields: object) -> str:
    return json.dumps({"id": "u1", "artists": [{"name": "Low"}], **fields})


# --- JSON Lines


def test_the_example_in_the_document_is_read_whole():
    document = (ROOT / "docs" / "profile-format.md").read_text(encoding="utf-8")
    example = json.loads(re.findall(r"```json\n(.*?)```", document, re.DOTALL)[0])
    ignored: Counter[str] = Counter()
    (profile,) = read(json.dumps(example), ignored=ignored)
    assert ignored == {}
    assert profile == Profile(
        "u1",
        {
            "low": Artist("Low", 120.0, ("slowcore",)),
            "godspeed you black emperor": Artist("Godspeed You! Black Emperor", 12.0),
        },
        {"slowcore": 120.0, "post-rock": 12.0},
        (
            Track(
                "Sunflower",
                "Low",
                40.0,
                278.5,
                "2001-02-05",
                {"danceability": 0.4, "energy": 0.2, "loudness": -13.5, "tempo": 96.0},
            ),
        ),
        (Playlist("Rainy days", (("Sunflower", "Low"),)),),
        {"energy": Spread(0.4, 0.1)},
        "file",
        "Night owl",
        date(2024, 2, 1),
        date(2025, 2, 1),
    )
    assert profile_to_json(profile) == example


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            line(artists=[{"name": "a"}, {"name": "b"}, {"name": "c", "plays": "many"}]),
            'line 1: artists[2].plays: must be a number above 0, is "many"',
        ),
        (line(artists=[{"name": "Low", "plays": 0}]), "artists[0].plays: must be a number above 0"),
        (line(artists=[{"name": "Low", "plays": -1}]), "must be a number above 0, is -1"),
        (line(artists=[{"name": "Low", "plays": True}]), "must be a number above 0, is true"),
        (line(artists=[{"name": "Low", "plays": float("nan")}]), "above 0, is NaN"),
        (line(artists=[{"name": "Low", "plays": float("inf")}]), "above 0, is Infinity"),
        (line(artists=[{"name": "Low", "plays": 1e10}]), "must be at most 1,000,000,000"),
        (line(artists=[{"name": "Low", "plays": 10**30}]), "must be a number above 0"),
        (line(artists=[{"plays": 1}]), "artists[0].name: must be text, is missing"),
        (line(artists=[{"name": " "}]), 'artists[0].name: must be text, is " "'),
        (line(artists=[{"name": "\u200b"}]), "artists[0].name: must be visible text"),
        (line(artists=[{"name": "x" * 501}]), "artists[0].name: must have at most 500 characters"),
        (line(artists=["Low"]), 'artists[0]: must be an object, is "Low"'),
        (line(artists={"Low": 1}), "artists: must be a list, is an object"),
        (
            line(artists=[{"name": "Low", "genres": [1]}]),
            "artists[0].genres[0]: must be text, is 1",
        ),
        (line(artists=[{"name": "a"}], clock=[1]), "clock: must have 168 numbers"),
        (line(artists=[{"name": "a"}], clock=[-1] * 168), "clock[0]: must be a number from 0"),
        (
            line(tracks=[{"name": "T", "artist": "A", "spotify": "short"}]),
            'tracks[0].spotify: must be an id as this service writes it, is "short"',
        ),
        (
            line(tracks=[{"name": "T", "artist": "A", "mbid": 5}]),
            "tracks[0].mbid: must be an id as this service writes it, is 5",
        ),
        (line(id=None), "id: must be text, is missing"),
        (line(id=7), "id: must be text, is 7"),
        (line(v=2), "v: must be 1, the version that this program reads, is 2"),
        (line(genres={"metal": "lots"}), "genres.metal: must be a number above 0"),
        (line(genres=["metal"]), "genres: must be an object, is a list"),
        (line(tracks=[{"name": "T"}]), "tracks[0].artist: must be text, is missing"),
        (
            line(tracks=[{"name": "T", "artist": "Low", "audio": {"energy": 1.2}}]),
            "tracks[0].audio.energy: must be a number from 0 to 1, is 1.2",
        ),
        (
            line(tracks=[{"name": "T", "artist": "Low", "duration_s": -1}]),
            "tracks[0].duration_s: must be a number from 0 to 1e+06",
        ),
        (
            line(tracks=[{"name": "T", "artist": "Low", "released": "2001-13"}]),
            "tracks[0].released: must be a year, year-month or date",
        ),
        (
            line(playlists=[{"name": "P", "tracks": [{"name": "T"}]}]),
            "playlists[0].tracks[0].artist: must be text, is missing",
        ),
        (line(audio={"energy": 0.4}), "audio.energy: must be an object, is 0.4"),
        (line(audio={"energy": {"mean": 2}}), "audio.energy.mean: must be a number from 0 to 1"),
        (line(**{"from": "2024"}), "from: must be a date such as 2025-01-31, is"),
        (
            line(**{"from": "2024-02-01", "to": "2024-01-01"}),
            'to: must not be before "from", 2024-02-01, is "2024-01-01"',
        ),
        ('{"id": "u1"}', "needs at least one artist, genre, track, playlist or audio attribute"),
        ("[1, 2]", "must be an object, is a list"),
        ('{"id": "u1", ', "isn't valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        (line(artists=[{"name": "Low", "plays": 5}]).replace("5", "9" * 5000), "must be a number"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_field(text: str, message: str):
    with pytest.raises(BadProfile) as caught:
        read(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("line 1: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_an_error_says_the_file_and_the_line_and_comes_after_the_lines_before():
    profiles = read_profiles(io.StringIO(f"{line()}\n\n{line(id=3)}\n"), where="p.jsonl")
    assert next(profiles).id == "u1"
    with pytest.raises(BadProfile, match=r"^p\.jsonl, line 3: id: must be text, is 3$"):
        next(profiles)


@pytest.mark.parametrize(
    ("origin", "read_as", "unknown"),
    [
        ("lastfm", "lastfm", 0),
        ("LastFM + Listenbrainz", "lastfm+listenbrainz", 0),
        ("netease-tv", "netease-tv", 0),
        ("Spotify-Web-API", SPOTIFY_WEB_API, 0),
        (None, "file", 0),
        ('=HYPERLINK("https://evil.example")', "file", 1),
        ("file+@evil+lastfm+x", "file+lastfm", 1),
        (f"=1+ {SPOTIFY_WEB_API}", f"file+{SPOTIFY_WEB_API}", 1),
        ("+", "file", 1),
        ("lastfm" * 80, "file", 1),
    ],
)
def test_an_origin_that_is_not_listed_is_read_as_file_and_counted(origin, read_as, unknown):
    ignored: Counter[str] = Counter()
    (profile,) = read(line(origin=origin), ignored=ignored)
    assert (profile.origin, ignored["unknown origin"]) == (read_as, unknown)


def test_every_source_of_profiles_is_a_listed_origin():
    named = {name for name in DATASETS if name != "charts"}  # its listeners are of origin "chart"
    sources = {*named, *SOURCE_WEIGHT, listenbrainz.ORIGIN, lastfm.ORIGIN, SYNTHETIC, DEMO}
    assert sources | {SPOTIFY_WEB_API, "file", origins.PICKED} == origins.ORIGINS


def test_the_documentation_lists_every_origin():
    text = (ROOT / "docs" / "profile-format.md").read_text(encoding="utf-8")
    table = text.partition("## Origins")[2].partition("\n\nThe list is closed")[0]
    cells = [row.split("|")[1] for row in table.strip().splitlines()[2:]]
    assert set(re.findall(r"`([^`]+)`", " ".join(cells))) == origins.ORIGINS


def test_unknown_keys_are_ignored_and_counted():
    text = line(
        mood="sad",
        artists=[{"name": "Low", "mbid": "x"}, {"name": "Slint", "mbid": "y"}],
        audio={"energy": {"mean": 0.4, "max": 1}, "key": {"mean": 3}},
    )
    ignored: Counter[str] = Counter()
    (profile,) = read(text, ignored=ignored)
    assert profile.audio == {"energy": Spread(0.4)}
    assert ignored == {"mood": 1, "artists[].mbid": 2, "audio.*.max": 1, "audio.key": 1}


def test_spellings_of_one_artist_in_a_line_are_one():
    names = [("Beatles", 1, ["pop"]), ("The Beatles", 5, ["rock", "pop"]), ("BEATLES", 2, [])]
    entries = [{"name": name, "plays": plays, "genres": tags} for name, plays, tags in names]
    (profile,) = read(line(artists=entries))
    assert profile.artists == {"beatles": Artist("The Beatles", 8.0, ("pop", "rock"))}


def test_artists_are_derived_from_tracks():
    tracks = [{"name": "A", "artist": "Low", "plays": 2}, {"name": "B", "artist": "LOW"}]
    (profile,) = read(line(artists=[], tracks=tracks))
    assert profile.artists == {"low": Artist("Low", 3.0)}


def test_names_keep_html_and_lose_control_characters():
    (profile,) = read(line(name="<b>me</b>\x00\n", artists=[{"name": "<i>Low</i>\u0007"}]))
    assert profile.name == "<b>me</b>"
    assert [artist.name for artist in profile.artists.values()] == ["<i>Low</i>"]


def test_null_counts_as_missing():
    keys = ("v", "name", "origin", "from", "to", "genres", "tracks", "playlists", "audio")
    artists = [{"name": "Low", "plays": None, "genres": None}]
    assert read(line(**dict.fromkeys(keys), artists=artists)) == read(line())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_and_utf_16_are_read(encoding: str):
    (profile,) = read((line(name="Sigur Rós") + "\r\n").encode(encoding))
    assert profile.name == "Sigur Rós"


def test_text_that_is_not_utf_8_is_refused():
    with pytest.raises(BadProfile, match="must be UTF-8"):
        read(b'{"id": "\xff\xfe\xff", "artists": [{"name": "Low"}]}')


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("twotower.sources.profile_jsonl.LONGEST_LINE", 1 << 10)
    with pytest.raises(BadProfile, match="a line has more than"):
        read('{"id": "' + "x" * (1 << 20))


# --- round trip

CHARACTERS = st.characters(exclude_categories=("C", "Zl", "Zp"))
NAMES = (
    st.text(CHARACTERS, min_size=1, max_size=12)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda name: name.isprintable() and is_artist_name(name))
)
PLAYS = st.integers(1, 10**6).map(float) | st.floats(0.001, 1e6)
DAYS = st.dates(date(2000, 1, 1), date(2030, 1, 1))
AUDIO_VALUES = st.fixed_dictionaries(
    {}, optional={name: st.floats(low, high) for name, (low, high) in AUDIO_RANGE.items()}
)
SPREADS = st.fixed_dictionaries(
    {},
    optional={
        name: st.builds(Spread, st.floats(low, high), st.floats(0, (high - low) / 2))
        for name, (low, high) in AUDIO_RANGE.items()
    },
)
TAGS = NAMES.map(str.casefold).filter(lambda tag: tag.isprintable() and tag == tag.casefold())
RELEASED = st.none() | DAYS.flatmap(
    lambda day: st.sampled_from([day.isoformat(), day.isoformat()[:7], day.isoformat()[:4]])
)


def _by_key(artists: list[Artist]) -> dict[str, Artist]:
    return {artist_key(artist.name): artist for artist in artists}


PROFILES = st.builds(
    Profile,
    id=NAMES,
    artists=st.lists(
        st.builds(Artist, NAMES, PLAYS, st.lists(TAGS, max_size=3, unique=True).map(tuple)),
        min_size=1,
        max_size=6,
    ).map(_by_key),
    genres=st.dictionaries(TAGS, PLAYS, max_size=4),
    tracks=st.lists(
        st.builds(
            Track,
            NAMES,
            NAMES,
            PLAYS,
            st.none() | st.floats(0, 1e5),
            RELEASED,
            AUDIO_VALUES,
            st.none() | st.from_regex(r"[0-9A-Za-z]{22}", fullmatch=True),
            st.none() | st.uuids().map(str),
        ),
        max_size=4,
    ).map(tuple),
    playlists=st.lists(
        st.builds(
            Playlist,
            st.just("") | NAMES,
            st.lists(st.tuples(NAMES, NAMES), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    audio=SPREADS,
    origin=st.sampled_from(["file", "picked", SPOTIFY_WEB_API]),
    name=st.just("") | NAMES,
    since=st.none() | DAYS,
    until=st.none(),
    clock=st.just(()) | st.lists(st.integers(0, 999), min_size=HOURS, max_size=HOURS).map(tuple),
)


@given(PROFILES)
def test_a_profile_survives_writing_and_reading(profile: Profile):
    text = json.dumps(profile_to_json(profile), allow_nan=False)
    ignored: Counter[str] = Counter()
    assert read(text, ignored=ignored) == [profile]
    assert profile_from_json(json.loads(text), "here") == profile
    assert not ignored


KEYS = (
    *("id", "v", "name", "from", "to", "artists", "genres", "tracks", "playlists", "audio"),
    *("artist", "plays", "mean", "energy", "released"),
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_profile_or_one_clear_error(data: object):
    try:
        profile = profile_from_json(data, "line 1")
    except BadProfile as bad:
        assert str(bad).startswith("line 1: ")  # noqa: PT017
        return
    again = profile_from_json(profile_to_json(profile), "line 1")
    assert again == profile


# --- files


def test_writing_returns_the_number_of_lines_and_replaces_the_file(tmp_path: Path):
    path = tmp_path / "new" / "p.jsonl"
    first = Profile("a", {"low": Artist("Low", 2.0)})
    assert write_profiles([first, replace(first, id="b")], path) == 2
    assert path.read_text(encoding="utf-8").splitlines()[0] == (
        '{"v":1,"id":"a","origin":"file","artists":[{"name":"Low","plays":2}]}'
    )
    assert [profile.id for profile in read_profiles(path)] == ["a", "b"]


def test_failed_writing_leaves_only_the_old_file(tmp_path: Path):
    path = tmp_path / "p.jsonl"
    path.write_text("old", encoding="utf-8")

    def failing():
        yield Profile("a", {"low": Artist("Low")})
        raise RuntimeError("out of plays")

    with pytest.raises(RuntimeError, match="out of plays"):
        write_profiles(failing(), path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["p.jsonl"]


def test_a_packed_file_is_read_and_a_broken_one_is_a_clear_error(tmp_path: Path):
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(line().encode()))
    assert [profile.id for profile in read_profiles(path)] == ["u1"]
    path.write_bytes(gzip.compress(line().encode())[:-9])
    with pytest.raises(BadProfile, match="can't be read"):
        list(read_profiles(path))
    with pytest.raises(BadProfile, match="can't be read"):
        list(read_profiles(tmp_path / "missing.jsonl"))


def test_a_name_that_ends_in_gz_is_packed_and_read_again(tmp_path):
    people = [Profile(id="a", artists={"low": Artist("Low", 3)})]
    assert write_profiles(people, tmp_path / "p.jsonl.gz") == 1
    assert (tmp_path / "p.jsonl.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert [p.id for p in read_profiles(tmp_path / "p.jsonl.gz")] == ["a"]
