import numpy as np
from planted import ring, ring_content

from twotower.evaluation.methods.towers import OneWay, TwoTowers, two_towers
from twotower.model.towers import ModelConfig
from twotower.model.train_config import TrainConfig
from twotower.sources.datasets.public import Training

SHORT = TrainConfig(steps=2)
LISTENERS = ring(48)


def test_the_towers_are_a_scorer():
    method = two_towers(config=SHORT, model_config=ModelConfig(shared=True))(
        Training(tuple(LISTENERS), content=tuple(ring_content()))
    )
    assert isinstance(method, TwoTowers) and method.name == "two towers"
    queries, candidates = ring(3, seed=1), ring(5, seed=2)
    scores = method.scores(queries, candidates)
    assert scores.shape == (3, 5) and np.abs(scores).max() <= 1 + 1e-5
    np.testing.assert_allclose(scores, method.scores(candidates, queries).T, atol=1e-5)  # shared
    own = two_towers(config=SHORT)(Training(tuple(LISTENERS)))
    assert own.vectors(queries, asking=True).shape == (3, 128)
    there, back = (
        OneWay(own.embedder).scores(*pair)
        for pair in ((queries, candidates), (candidates, queries))
    )
    np.testing.assert_allclose(own.scores(queries, candidates), (there + back.T) / 2, atol=1e-5)
    np.testing.assert_allclose(
        own.scores(queries, queries), own.scores(queries, queries).T, atol=1e-5
    )


def test_playlists_may_be_left_out():
    lists = tuple(ring(10, origin="mpd", seed=3))
    training = Training(tuple(LISTENERS), playlists=lists)
    with_them = two_towers(config=SHORT)(training).embedder.about["profiles"]
    without = two_towers(config=SHORT, playlists=False)(training).embedder.about["profiles"]
    assert with_them == {"hetrec": 48, "mpd": 10} and without == {"hetrec": 48}
