from dataclasses import replace

import numpy as np
import pytest
from planted import QUARTERS, make_profile, ring

from twotower.core.domain import AUDIO, Artist, Playlist, Profile, Spread
from twotower.core.errors import EmptyProfile
from twotower.model.portrait import GENRES_SHOWN, portrait, weighted_spread

STRANGERS = ring(12, artists=16, hits=8, origin="file", seed=31)


@pytest.mark.parametrize(
    "nothing",
    [
        Profile("a"),
        make_profile("a", {"who": 3}),
        Profile("a", playlists=(Playlist("Gym", (("t", "a"),)),)),
        Profile("a", genres={"polka": 2.0}),
    ],
)
def test_a_profile_of_which_nothing_is_known_is_refused_with_advice(trained, nothing):
    with pytest.raises(EmptyProfile, match=r"Add three well-known artists") as caught:
        portrait(trained, nothing)
    assert ("none of the 1 artists" in str(caught.value)) == bool(nothing.artists)


def test_a_portrait_holds_vectors_coverage_and_artists_most_played_first(trained):
    profile = make_profile("me", {"artist 20": 3, "artist 21": 30, "nobody": 7})
    seen = portrait(trained, profile)
    assert [a.name for a in seen.artists] == ["artist 21", "nobody", "artist 20"]
    assert seen.coverage.plays == pytest.approx(33 / 40)
    assert seen.coverage.unknown == ("nobody",)
    for vector, tower in (
        (seen.user_vector, "user"),
        (seen.candidate_vector, "candidate"),
    ):
        assert np.array_equal(vector, trained.embed([profile], tower)[0])
    assert 0 < seen.seconds < 60
    settled = trained.effective_dimensions([seen.profile])[0]
    assert 0 < seen.effective_dimensions == pytest.approx(settled)


def test_genres_are_the_listeners_own_or_else_those_of_the_artists(trained):
    own = Profile("me", genres={"jazz": 3.0, "zydeco": 1.0})
    assert portrait(trained, own).genres == (("jazz", 0.75), ("zydeco", 0.25))
    told = Profile("me", {"artist 20": Artist("artist 20", 4, ("a", "b")),
                          "artist 22": Artist("artist 22", 4, ("a",))})  # fmt: skip
    assert portrait(trained, told).genres == (("a", 0.75), ("b", 0.25))
    estimated = portrait(trained, STRANGERS[1]).genres
    assert estimated[0][0] == QUARTERS[1] and len(estimated) <= GENRES_SHOWN
    assert sum(share for _, share in estimated) == pytest.approx(1)


def test_genres_rest_on_artists_whose_genres_are_known_and_stated_ones_count_more(trained):
    stated, estimated = "artist 60", "artist 14"  # of jazz and metal; one in five has no genres
    assert trained.catalogue.has_stated_genres(stated)
    assert not trained.catalogue.has_stated_genres(estimated)
    both = portrait(trained, make_profile("me", {stated: 10, estimated: 10, "nobody": 20}))
    shares = dict(both.genres)
    assert shares["jazz"] == pytest.approx(2 / 3)  # 1 beside ESTIMATE_WEIGHT
    assert both.genres_from == pytest.approx(0.5)


def test_words_of_countries_in_a_file_are_no_genres(trained):
    home = {"artist 20": Artist("artist 20", 4, ("home:no", "folk"))}
    assert portrait(trained, Profile("me", home)).genres == (("folk", 1.0),)
    own = Profile("me", genres={"jazz": 1.0, "home:no": 9.0})
    assert portrait(trained, own).genres == (("jazz", 1.0),)


def test_audio_is_the_listeners_own_or_else_an_estimate(trained):
    own = {"energy": Spread(0.9, 0.05)}
    seen = portrait(trained, replace(STRANGERS[0], audio=own))
    assert seen.audio == own and not seen.audio_is_estimate
    slow, fast = portrait(trained, STRANGERS[0]), portrait(trained, STRANGERS[3])
    assert slow.audio_is_estimate and set(slow.audio) == set(AUDIO)
    assert slow.audio["tempo"].mean < fast.audio["tempo"].mean
    assert slow.audio["tempo"].std > 0
    assert portrait(trained, Profile("g", genres={"jazz": 1.0})).audio == {}


@pytest.mark.parametrize(("unknown_plays", "is_shown"), [(18, True), (19, False)])
def test_audio_is_absent_if_little_of_the_listening_is_known(trained, unknown_plays, is_shown):
    seen = portrait(trained, make_profile("me", {"artist 20": 10, "nobody": unknown_plays}))
    assert bool(seen.audio) == is_shown
    assert seen.audio_from == pytest.approx(10 / (10 + unknown_plays))


def test_weighted_spread_by_hand():
    mean, std = weighted_spread(np.array([[0.0, 5.0], [4.0, 5.0]]), np.array([3.0, 1.0]))
    assert mean.tolist() == [1, 5] and std.tolist() == pytest.approx([np.sqrt(3), 0])
