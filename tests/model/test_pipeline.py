"""From profiles to a model: which profiles are used, and what the model stores about them."""

import json

import pytest
from planted import make_profile, ring, ring_content, ring_tags

from twotower.core.domain import SPOTIFY_WEB_API, Playlist
from twotower.core.errors import BadProfile
from twotower.core.names import hashed_id
from twotower.core.settings import ROOT
from twotower.model.embedder import Embedder
from twotower.model.pipeline import FEWEST_ARTISTS, FEWEST_LISTENERS, fit
from twotower.model.train_config import TrainConfig

ASSETS = ROOT / "assets"
SHORT = TrainConfig(steps=2)
LISTENERS = ring(48)


@pytest.mark.parametrize("origin", [SPOTIFY_WEB_API, f"file+{SPOTIFY_WEB_API}"])
def test_profiles_that_came_through_spotifys_web_api_are_never_trained_on(origin):
    theirs = make_profile("secret", dict.fromkeys(map(str, range(9)), 1.0), origin)
    with pytest.raises(BadProfile, match="policy forbids training"):
        fit([*LISTENERS, theirs], config=SHORT)


def test_too_few_profiles_are_refused_with_both_numbers():
    small = [make_profile(f"s{n}", {"artist 1": 1.0}) for n in range(90)]
    with pytest.raises(BadProfile, match=f"only 30 of 120 .* {FEWEST_LISTENERS}"):
        fit([*LISTENERS[:30], *small], config=SHORT)
    with pytest.raises(BadProfile, match="only 0 of 0"):
        fit([], config=SHORT)


def test_small_profiles_are_left_out_and_the_others_are_stored_as_hashes():
    small = make_profile("small", {"artist 1": 1.0, "mine": 2.0, "own": 1.0})
    embedder = fit([*LISTENERS, small], config=SHORT)
    assert len(small.artists) < FEWEST_ARTISTS
    assert embedder.trained_on == tuple(sorted(hashed_id(p) for p in LISTENERS))
    assert embedder.catalogue.row("mine") is None
    assert embedder.about["profiles"] == {"hetrec": 48}
    assert not any(p.id in repr(embedder.about) for p in LISTENERS)


def test_about_describes_the_training():
    told: list[int] = []
    shares: list[float] = []
    embedder = fit(
        LISTENERS,
        ring_content(),
        ring_tags(LISTENERS),
        config=SHORT,
        on_record=lambda record: told.append(record.step),
        progress=lambda share, text: shares.append(share),
    )
    assert told == [2] and embedder.about["records"][-1]["step"] == 2
    assert embedder.about["training"]["steps"] == 2
    assert embedder.about["artists"] == len(embedder.catalogue) == 200
    assert shares and max(shares) <= 1


def test_training_is_described_under_the_keys_of_older_models(trained: Embedder):
    shipped = json.loads((ASSETS / "model" / "config.json").read_text(encoding="utf-8"))
    assert trained.about["training"].keys() >= shipped["about"]["training"].keys()
    assert SHORT.to_dict()["hide_identity"] == SHORT.id_dropout


def test_listeners_of_any_origin_and_with_playlists_are_trained_on():
    mixed = [
        make_profile(p.id, {k: a.plays for k, a in p.artists.items()}, origin)
        for p, origin in zip(LISTENERS, ["file", "lastfm", "mpd", "hetrec"] * 12, strict=True)
    ]
    named = [make_profile("named", {"artist 1": 2.0, "a": 1, "b": 1, "c": 1})]
    object.__setattr__(named[0], "playlists", (Playlist("jazz"),))
    embedder = fit([*mixed, *named], ring_content(), config=SHORT)
    assert len(embedder.trained_on) == 49
