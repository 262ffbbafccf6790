"""Profiles from plays, merged, and as JSON Lines in and out."""

import gzip
import io
import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.domain import (
    AUDIO_RANGE,
    HOURS,
    SPOTIFY_WEB_API,
    Artist,
    Play,
    Playlist,
    Profile,
    Spread,
    Track,
)
from twotower.core.errors import (
    BadProfile,
    EmptyProfile,
    MissingData,
    NoMusic,
)
from twotower.core.names import artist_key, is_artist_name
from twotower.core.settings import Settings
from twotower.sources.profile_jsonl import profile_to_json, read_profiles, write_profiles
from twotower.sources.profile_parser import profile_from_json
from twotower.sources.profiles import (
    MOST_TRACKS,
    build_profile,
    join_profiles,
    merge_profiles,
)
from twotower.sources.reader import read_profile

ROOT = Path(__file__).resolve().parents[2]
DATA = Settings.from_env().data
PERSONAL = sorted((DATA / "spotify-user-exports").glob("*/*.gz"))


def played(artist: str, track: str | None = "T", *, count: int = 1, ms: int | None = None) -> Play:
    return Play(artist, track, count=count, ms_played=ms)


def saved(artist: str, track: str = "T") -> Play:
    return Play(artist, track, kind="saved")


def plays_of(profile: Profile) -> dict[str, float]:
    return {key: artist.plays for key, artist in profile.artists.items()}


def read(text: str | bytes, **options: object) -> list[Profile]:
    file = io.BytesIO(text) if isinstance(text, bytes) else io.StringIO(text)
    return list(read_profiles(file, **options))


def line(**fields: object) -> str:
    return json.dumps({"id": "u1", "artists": [{"name": "Low"}], **fields})


# --- built from plays


def test_an_artist_s_plays_are_those_of_thirty_seconds_and_more():
    profile = build_profile(
        [
            played("Low", ms=30_000),
            played("Low", ms=29_999),
            played("Low", "Other", count=3),
            played("Slint", ms=10),
        ]
    )
    assert plays_of(profile) == {"low": 4.0}


def test_saved_and_listed_tracks_count_only_if_nothing_was_played():
    listed = Play("Slint", "Washer", kind="listed", playlist="P")
    profile = build_profile(
        [saved("Low"), played("Low"), saved("Slint", "Glenn"), listed, listed, saved("Codeine")]
    )
    assert plays_of(profile) == {"slint": 3.0, "low": 1.0, "codeine": 1.0}
    assert {(track.name, track.plays) for track in profile.tracks if track.artist == "Slint"} == {
        ("Glenn", 1.0),
        ("Washer", 2.0),
    }
    assert profile.playlists == (Playlist("P", (("Washer", "Slint"),)),)


def test_spellings_of_one_artist_are_merged_under_the_most_frequent():
    profile = build_profile([played("beatles"), played("The Beatles", count=2), played("BEATLES")])
    assert profile.artists == {"beatles": Artist("The Beatles", 4.0)}
    assert [track.plays for track in profile.tracks] == [4.0]


def test_guests_get_the_play_and_the_first_artist_gets_the_track():
    profile = build_profile(
        [
            Play("Low", "T", genres=("slowcore",), guests=("Slint", "The Low")),
            Play("Slint", "U", genres=("math rock",)),
        ]
    )
    assert plays_of(profile) == {"slint": 2.0, "low": 1.0}
    assert [(track.artist, track.plays) for track in profile.tracks] == [("Low", 1), ("Slint", 1)]
    assert profile.artists["low"].genres == ()  # a shared track's genres may be the guest's
    assert profile.artists["slint"].genres == ("math rock",)
    assert profile.genres == {"slowcore": 1.0, "math rock": 1.0}


def test_audio_and_genres_are_weighted_by_plays():
    profile = build_profile(
        [
            Play("Low", "A", count=3, audio={"energy": 0.2}, genres=("slowcore",)),
            Play("Low", "B", count=1, audio={"energy": 0.6}, genres=("slowcore", "live")),
            Play("Low", "C", count=5),
        ]
    )
    # mean (3 * 0.2 + 0.6) / 4 = 0.3; variance (3 * 0.01 + 0.09) / 4 = 0.03
    assert profile.audio["energy"].mean == pytest.approx(0.3)
    assert profile.audio["energy"].std == pytest.approx(0.03**0.5)
    assert profile.genres == {"slowcore": 4.0, "live": 1.0}
    assert [track.name for track in profile.tracks] == ["C", "A", "B"]


def test_a_played_track_gets_audio_and_duration_from_any_row():
    detail = Play(
        "Low", "t", kind="saved", audio={"tempo": 90.0}, duration_s=200.0, released="2001"
    )
    (track,) = build_profile([played("Low", "T", count=2), detail]).tracks
    assert track == Track("T", "Low", 2.0, 200.0, "2001", {"tempo": 90.0})


def test_the_days_are_those_of_the_plays_or_else_of_the_saving():
    heard = Play("Low", "T", at=datetime(2024, 5, 1, tzinfo=UTC))
    later = Play("Low", "T", at=datetime(2024, 6, 1, tzinfo=UTC))
    kept = Play("Low", "T", kind="saved", at=datetime(2010, 1, 1, tzinfo=UTC))
    both = build_profile([later, heard, kept])
    assert (both.since, both.until) == (date(2024, 5, 1), date(2024, 6, 1))
    assert build_profile([kept]).since == date(2010, 1, 1)
    assert build_profile([heard], since=date(2000, 1, 1)).since == date(2000, 1, 1)


def test_a_profile_has_the_most_played_tracks_and_every_artist():
    plays = [played(f"Artist {n}", f"Song {n}", count=1 + n % 7) for n in range(MOST_TRACKS + 99)]
    profile = build_profile(plays)
    assert len(profile.artists) == MOST_TRACKS + 99
    assert len(profile.tracks) == MOST_TRACKS
    assert profile.tracks[0].plays == 7.0


@pytest.mark.parametrize("plays", [[], [played("Low", ms=5)], [played("\u200b")]])
def test_no_play_that_counts_is_an_empty_profile(plays: list[Play]):
    with pytest.raises(EmptyProfile, match="bring more"):
        build_profile(plays)


def test_a_hundred_thousand_artists_are_built_and_written_and_read(tmp_path: Path):
    profile = build_profile(played(f"Artist number {n}", f"Song {n}") for n in range(100_000))
    assert len(profile.artists) == 100_000
    write_profiles([profile], tmp_path / "many.jsonl")
    assert list(read_profiles(tmp_path / "many.jsonl")) == [profile]


# --- merged


def test_merging_adds_plays_and_keeps_the_web_api_s_origin():
    one = Profile(
        "a",
        {"low": Artist("Low", 3.0, ("slowcore",))},
        {"slowcore": 3.0},
        (Track("T", "Low", 3.0),),
        audio={"energy": Spread(0.2, 0.0)},
        name="A",
        since=date(2024, 1, 1),
    )
    other = Profile(
        "b",
        {"low": Artist("LOW", 1.0, ("live",)), "slint": Artist("Slint", 2.0)},
        {"slowcore": 1.0},
        (Track("t", "Low", 1.0, 200.0),),
        audio={"energy": Spread(0.6, 0.0)},
        origin=SPOTIFY_WEB_API,
        until=date(2025, 1, 1),
    )
    both = merge_profiles([one, other], id="me")
    assert both.artists == {
        "low": Artist("Low", 4.0, ("slowcore", "live")),
        "slint": Artist("Slint", 2.0),
    }
    assert both.tracks == (Track("T", "Low", 4.0, 200.0),)
    assert both.genres == {"slowcore": 4.0}
    assert (both.id, both.name, both.origin) == ("me", "A", SPOTIFY_WEB_API)
    assert (both.since, both.until) == (date(2024, 1, 1), date(2025, 1, 1))
    assert both.audio["energy"].mean == pytest.approx(0.4)  # 3 plays at 0.2, 3 at 0.6
    assert both.audio["energy"].std == pytest.approx(0.2)


def source_profile(origin: str, first: date | None, last: date | None, **plays: float) -> Profile:
    artists = {name: Artist(name.title(), count) for name, count in plays.items()}
    tracks = tuple(Track("Song", name.title(), count) for name, count in plays.items())
    clock = tuple([int(sum(plays.values()))] + [0] * (HOURS - 1))
    return Profile(
        "me", artists, {"rock": 3.0}, tracks, origin=origin, since=first, until=last, clock=clock
    )


SPRING, SUMMER = (date(2024, 3, 1), date(2024, 5, 31)), (date(2024, 6, 1), date(2024, 8, 31))


@pytest.mark.parametrize("days", [SPRING, (date(2024, 5, 31), date(2024, 7, 1)), (None, None)])
def test_two_sources_of_the_same_days_count_each_play_once(days):
    both = join_profiles(
        source_profile("file", *SPRING, low=5, slint=2), source_profile("listenbrainz", *days, low=7, codeine=1)
    )
    assert {key: one.plays for key, one in both.artists.items()} == {
        "low": 7,
        "slint": 2,
        "codeine": 1,
    }
    assert both.tracks[0].plays == 7 and both.genres == {"rock": 3.0} and both.clock[0] == 8
    assert both.origin == "file+listenbrainz"


def test_two_sources_of_different_days_add_up():
    one, other = source_profile("file", *SPRING, low=5), source_profile("lastfm", *SUMMER, low=7)
    for pair in ((one, other), (other, one)):
        both = join_profiles(*pair)
        assert both.artists["low"].plays == 12 and both.tracks[0].plays == 12
        assert both.genres == {"rock": 6.0} and both.clock[0] == 12
        assert (both.since, both.until) == (SPRING[0], SUMMER[1])


def test_a_profile_joined_with_spotifys_keeps_its_origin():
    both = join_profiles(
        source_profile("file+lastfm", *SPRING, low=5), source_profile(SPOTIFY_WEB_API, None, None, a=1)
    )
    assert both.origin == SPOTIFY_WEB_API


def test_merging_nothing_is_a_value_error():
    with pytest.raises(ValueError, match="0 profiles"):
        merge_profiles([], id="me")


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


def test_the_files_of_one_call_are_merged(tmp_path: Path):
    (tmp_path / "p.jsonl").write_text(line(name="Me") + "\n", encoding="utf-8")
    (tmp_path / "t.csv").write_text("artist,plays\nLow,2\nSlint,1\n", encoding="utf-8")
    profile = read_profile(tmp_path / "p.jsonl", tmp_path / "t.csv", id="x")
    assert plays_of(profile) == {"low": 3.0, "slint": 1.0}
    assert (profile.id, profile.name, profile.origin) == ("x", "Me", "file")


def test_a_profile_and_plays_of_the_same_days_are_joined(tmp_path: Path):
    days = {"from": "2024-01-01", "to": "2024-12-31"}
    (tmp_path / "p.jsonl").write_text(line(**days) + "\n", encoding="utf-8")
    text = "artist,date\nLow,2024-05-01\nLow,2024-05-02\nSlint,2024-06-01\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    profile = read_profile(tmp_path / "p.jsonl", tmp_path / "t.csv", id="x")
    assert profile.id == "x" and plays_of(profile) == {"low": 2.0, "slint": 1.0}


def test_a_single_profile_is_returned_unchanged(tmp_path: Path):
    (tmp_path / "p.jsonl").write_text(line(origin="picked") + "\n", encoding="utf-8")
    assert read_profile(tmp_path / "p.jsonl") == replace(read(line(origin="picked"))[0], id="me")


def test_several_listeners_in_a_file_are_an_error(tmp_path: Path):
    (tmp_path / "two.jsonl").write_text(f"{line()}\n{line()}\n", encoding="utf-8")
    with pytest.raises(BadProfile, match="2 listeners: keep one line"):
        read_profile(tmp_path / "two.jsonl")


def test_a_path_that_can_not_be_opened_is_missing_data(tmp_path: Path):
    for path in (tmp_path / "none.zip", tmp_path):
        with pytest.raises(MissingData, match="check the path"):
            read_profile(path)


@pytest.mark.skipif(not PERSONAL, reason="no personal exports in the data folder")
@pytest.mark.parametrize("path", PERSONAL, ids=lambda path: path.name)
def test_every_real_file_gives_a_profile_that_survives_the_round_trip(path: Path, tmp_path: Path):
    if "podcast" in path.name:
        with pytest.raises(NoMusic, match="no music in it"):
            read_profile(path)
        return
    profile = read_profile(path)
    write_profiles([profile], tmp_path / "p.jsonl")
    assert list(read_profiles(tmp_path / "p.jsonl")) == [profile]
    assert (profile.origin == SPOTIFY_WEB_API) == ("exportify" in path.name)
    assert bool(profile.audio) == ("exportify" in path.name)


@pytest.mark.skipif(not PERSONAL, reason="no personal exports in the data folder")
def test_a_real_history_gives_the_plays_that_a_count_by_hand_gives():
    path = next(path for path in PERSONAL if "_music_" in path.name)
    counted: Counter[str] = Counter()
    for row in json.loads(gzip.decompress(path.read_bytes())):
        if row["msPlayed"] >= 30_000:
            counted[artist_key(row["artistName"])] += 1
    assert plays_of(read_profile(path)) == counted


@pytest.mark.skipif(not PERSONAL, reason="no personal exports in the data folder")
def test_a_real_library_beside_the_history_adds_only_artists_that_were_not_played():
    history = next(path for path in PERSONAL if "_music_" in path.name)
    others = [path for path in PERSONAL if path.name.startswith(("YourLibrary", "Playlist1"))]
    alone, both = read_profile(history), read_profile(history, *others)
    assert plays_of(alone).items() <= plays_of(both).items()
    counted: Counter[str] = Counter()
    for path in others:
        data = json.loads(gzip.decompress(path.read_bytes()))
        counted.update(artist_key(row["artist"]) for row in data.get("tracks", ()))
        for playlist in data.get("playlists", ()):
            tracks = (item["track"] for item in playlist["items"])
            counted.update(artist_key(track["artistName"]) for track in tracks if track)
    added = {key: plays for key, plays in plays_of(both).items() if key not in alone.artists}
    assert added == {key: plays for key, plays in counted.items() if key not in alone.artists}
    assert len(both.playlists) > 0


def test_a_name_that_ends_in_gz_is_packed_and_read_again(tmp_path):
    people = [Profile(id="a", artists={"low": Artist("Low", 3)})]
    assert write_profiles(people, tmp_path / "p.jsonl.gz") == 1
    assert (tmp_path / "p.jsonl.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert [p.id for p in read_profiles(tmp_path / "p.jsonl.gz")] == ["a"]
