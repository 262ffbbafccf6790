"""Side features of a query reveal nothing of the half to be found."""

from datetime import date

import pytest

from twotower.core.domain import Artist, Playlist, Profile, Track
from twotower.evaluation.side_features import AUDIO_FEATURES, TAG_FEATURES, side_feature_tasks

KEYS = [f"a{n}" for n in range(8)]
LISTENER = Profile(
    "1",
    {key: Artist(key, 1.0) for key in KEYS},
    tracks=tuple(Track(f"song {n}", key, audio={"energy": n / 10}) for n, key in enumerate(KEYS)),
    playlists=(Playlist("doom", tuple((f"song {n}", key) for n, key in enumerate(KEYS))),),
    origin="tidytuesday",
)
TAGS = [("1", key, f"tag of {key}", date(2010, 1, 1)) for key in KEYS]


@pytest.fixture(scope="module")
def tasks():
    made = side_feature_tasks("tidytuesday", [LISTENER], AUDIO_FEATURES, 0)
    return {task.spec.shown_label: task for task in made}


def test_each_task_shows_its_features_and_no_others(tasks):
    assert len(tasks) == len(AUDIO_FEATURES)
    for name, task in tasks.items():
        (query,) = task.queries
        assert bool(query.artists) == bool(query.tracks) == ("alone" not in name)
        assert bool(query.audio) == ("audio" in name)
        assert bool(query.playlists) == ("playlists" in name)
        assert not query.genres


def test_features_are_those_of_the_own_half(tasks):
    own = tasks["artists only"].queries[0].artists.keys()
    other = tasks["artists only"].candidates[0].artists.keys()
    assert own | other == set(KEYS) and not own & other
    energies = [KEYS.index(key) / 10 for key in own]
    assert tasks["audio alone"].queries[0].audio["energy"].mean == pytest.approx(sum(energies) / 4)
    (playlist,) = tasks["playlists alone"].queries[0].playlists
    assert playlist.name == "doom" and {artist for _, artist in playlist.tracks} == own


def test_the_other_half_has_artists_only_in_every_task(tasks):
    first = tasks["artists only"].candidates
    for task in tasks.values():
        assert task.candidates == first
        assert not (first[0].audio or first[0].playlists or first[0].genres)


def test_tags_are_those_the_listener_gave_to_the_own_half():
    only, _, alone = side_feature_tasks(
        "hetrec", [LISTENER], TAG_FEATURES, 0, [*TAGS, ("2", "a0", "x", None)]
    )
    assert alone.spec.label == "groups, hetrec, tags alone" and not alone.queries[0].artists
    assert alone.queries[0].genres == {f"tag of {key}": 1.0 for key in only.queries[0].artists}


def test_a_listener_without_one_of_the_features_is_in_no_task():
    bare = Profile("2", LISTENER.artists, origin="tidytuesday")
    made = side_feature_tasks("tidytuesday", [bare, LISTENER], AUDIO_FEATURES, 0)
    assert {task.ids for task in made} == {("1",)}
