"""Views: disjoint, varied, with hidden identities and groups."""

import numpy as np
import pytest
import torch
from planted import ring, ring_content, ring_tags

from twotower.core.domain import Playlist, Profile
from twotower.model.artist_features import (
    TrainingData,
    assign_folds,
    build_training_data,
    cross_fit,
)
from twotower.model.towers import (
    AUDIO,
    AUDIO_GROUP,
    CONTENT,
    DF,
    EXTRA_WIDTH,
    FACTOR,
    GENRE_GROUP,
    PLAYLIST_GROUP,
    TAGS,
)
from twotower.model.train_config import TrainConfig
from twotower.model.views import ViewSampler, concat_batches, playlist_titles

LISTENERS = ring(64, artists=16, hits=16)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return build_training_data(LISTENERS, ring_content(), ring_tags(LISTENERS))


@pytest.fixture(scope="module")
def features(data):
    return cross_fit(data, assign_folds(data.source, 4, seed=0)).per_fold[0]


def draw(data: TrainingData, features, config: TrainConfig, seed: int = 0, titles=None):
    views = ViewSampler(data, features, titles or [{}] * 64)
    return views.draw(np.arange(64), config, np.random.default_rng(seed))


def test_the_two_views_of_a_listener_share_no_artist_and_are_of_that_listener(data, features):
    plain = TrainConfig(groups=0, id_dropout=0)
    sizes = set()
    for seed in range(6):
        batch = draw(data, features, plain, seed)
        users, candidates = batch.users, batch.candidates
        assert len(users) == len(candidates) > 0
        assert not batch.inputs[0].any()
        for user, candidate in zip(users, candidates, strict=True):
            assert not {*user.rows.tolist()} & {*candidate.rows.tolist()}
            assert 2 <= len(user.rows) <= 48 and 1 <= len(candidate.rows) <= 48
            assert user.rows.min() > 0 and (user.plays > 0).all()
            sizes.add(len(user.rows))
    assert len(sizes) > 5  # short and long queries


def test_hidden_identities_are_replaced_by_what_content_says(data, features):
    shown = draw(data, features, TrainConfig(groups=0, id_dropout=0)).inputs
    hidden = draw(data, features, TrainConfig(groups=0, id_dropout=1)).inputs
    assert shown.shape == hidden.shape
    assert (hidden[1:, DF] == torch.tensor([0.0, 0.0, 1.0])).all()
    expected = features.content_map.factors(hidden[1:, CONTENT].numpy())
    np.testing.assert_allclose(hidden[1:, FACTOR], expected, atol=1e-5)
    without_tags, without_audio = ((hidden[1:, part] == 0).all(1) for part in (TAGS, AUDIO))
    assert without_tags.float().mean() > 0.2 and not without_tags.all()
    assert 0 < without_audio.float().mean() < without_tags.float().mean()
    assert features.inputs[:, DF][:, 0].max() > 0  # the features themselves are unchanged


def test_groups_stand_beside_artists_or_alone(data, features):
    titles = [{"jazz": 1.0}] * 64
    config = TrainConfig(groups=1, groups_alone=0.5)
    batch = draw(data, features, config, titles=titles)
    users, candidates = batch.users, batch.candidates
    types = [set(user.item_types.tolist()) for user in users]
    assert any(0 in found for found in types) and any(0 not in found for found in types)
    assert all(0 in set(candidate.item_types.tolist()) for candidate in candidates)
    assert {GENRE_GROUP, PLAYLIST_GROUP, AUDIO_GROUP} < set().union(*types)
    assert batch.extra.shape == (len(batch.inputs), EXTRA_WIDTH)
    last = max(s.rows.max() for s in (*users, *candidates))
    assert last == len(batch.inputs) - 1


def test_titles_of_playlists_are_read_for_each_listener(data):
    profiles = [
        Profile("a", playlists=(Playlist("Jazz nights"), Playlist("more jazz and folk"))),
        Profile("b", playlists=(Playlist("Gym"),)),
    ]
    assert playlist_titles(data, profiles) == [{"jazz": 2, "folk": 1}, {}]


def test_views_of_several_folds_keep_the_features_of_their_own_fold(data):
    parts = cross_fit(data, assign_folds(data.source, 4, seed=0)).per_fold
    plain = TrainConfig(groups=0, id_dropout=0)
    drawn = [draw(data, features, plain, seed) for seed, features in enumerate(parts[:2])]
    batch = concat_batches(drawn)
    assert len(batch.users) == len(batch.candidates) == sum(len(each.users) for each in drawn)
    assert len(batch.inputs) == len(batch.extra) == sum(len(each.inputs) for each in drawn)
    for at, one in ((0, drawn[0]), (-1, drawn[1])):
        rows, before = batch.users[at].rows, one.users[at].rows
        assert torch.equal(batch.inputs[rows], one.inputs[before])


def test_views_change_towers_and_plays_are_masked(data, features):
    """Both towers get short views, and the plays of either side may be masked."""
    plain = {"groups": 0.0, "id_dropout": 0.0, "min_df_choices": ()}
    drawn = [draw(data, features, TrainConfig(**plain), seed) for seed in range(4)]
    pairs = [pair for one in drawn for pair in zip(one.users, one.candidates, strict=True)]
    assert any(len(u.rows) < len(c.rows) / 2 for u, c in pairs)
    assert any(len(c.rows) < len(u.rows) / 2 for u, c in pairs)
    masked = {((u.plays == 1).all(), (c.plays == 1).all()) for u, c in pairs}
    assert len(masked) == 4
    still = draw(data, features, TrainConfig(**plain, tower_swap=0.0, mask_plays=0.0))
    assert all(
        len(u.rows) <= len(c.rows) for u, c in zip(still.users, still.candidates, strict=True)
    )
    assert not any(
        (u.plays == 1).all() and len(u.plays) > 2 for u in (*still.users, *still.candidates)
    )
