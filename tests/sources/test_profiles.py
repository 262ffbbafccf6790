"""Profiles built from plays, merged and joined."""

import gzip
import io
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from twotower.core.domain import (
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
from twotower.core.names import artist_key
from twotower.core.settings import Settings
from twotower.sources.profile_jsonl import read_profiles, write_profiles
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
        source_profile("file", *SPRING, low=5, slint=2),
        source_profile("listenbrainz", *days, low=7, codeine=1),
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
        source_profile("file+lastfm", *SPRING, low=5),
        source_profile(SPOTIFY_WEB_API, None, None, a=1),
    )
    assert both.origin == SPOTIFY_WEB_API


def test_merging_nothing_is_a_value_error():
    with pytest.raises(ValueError, match="0 profiles"):
        merge_profiles([], id="me")


# --- read from files


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
