"""Confidence: one calibrated number from effective dimensions and the share of plays heard."""

from dataclasses import replace

import numpy as np
import pytest
from planted import make_profile, ring

from twotower.core.domain import Artist, Coverage, Profile
from twotower.core.errors import IncompatibleModel
from twotower.core.settings import ROOT
from twotower.model.confidence import (
    BOUNDS,
    DEFAULT_CURVE,
    FILE,
    MIN_HEARD,
    Confidence,
    ConfidenceCurve,
    Grade,
    evidence_score,
    heard_share,
)
from twotower.model.embedder import Embedder
from twotower.model.portrait import portrait

CURVE = ConfidenceCurve((0.0, 1.0, 3.0), (0.1, 0.5, 0.9))


def test_the_score_by_hand():
    coverage = Coverage(plays=0.8, by_content=0.5, effective_artists=9.0, unknown=("x",))
    assert heard_share(coverage) == pytest.approx(0.4 + 0.1 * 0.4)
    assert evidence_score(replace(coverage, effective_heard=5.0)) == pytest.approx(5 * 0.44)
    assert evidence_score(Coverage(0.0, 0.0, 0.0, ())) == 0


def test_the_curve_is_linear_between_knots_and_constant_beyond():
    scores = np.array([0, 0.5, 2, 3, 99])
    assert CURVE.expected_mrr(scores, np.ones(5)).tolist() == pytest.approx(
        [0.1, 0.3, 0.7, 0.9, 0.9]
    )


def test_words_follow_the_bounds():
    graded = [Confidence(1.0, mrr).grade for mrr in (0.0, *BOUNDS)]
    assert graded == [Grade.GUESS, Grade.SKETCH, Grade.GOOD, Grade.FULL]
    assert [Confidence(1.0, bound - 1e-9).grade for bound in BOUNDS] == graded[:-1]


def test_no_picture_is_good_if_little_of_the_listening_is_heard():
    many = np.array([99.0])
    (little,), (enough,) = (
        CURVE.expected_mrr(many, np.array([heard])) for heard in (MIN_HEARD - 1e-9, MIN_HEARD)
    )
    assert Confidence(MIN_HEARD, enough).grade == Grade.FULL
    assert Confidence(0.3, little).grade == Grade.SKETCH


def test_the_shipped_curve_reaches_every_word_and_that_of_older_models_all_but_full():
    shipped = ConfidenceCurve.load(ROOT / "assets" / "model")
    scores = np.array([0, 3, 9, 64])
    lower = (Grade.GUESS, Grade.SKETCH, Grade.GOOD)
    for curve, words in ((shipped, [*lower, Grade.FULL]), (DEFAULT_CURVE, [*lower, Grade.GOOD])):
        mrr = curve.expected_mrr(scores, np.ones(4))
        assert [Confidence(1.0, float(each)).grade for each in mrr] == words


@pytest.mark.parametrize(
    ("scores", "mrr"),
    [
        ((), ()),
        ((0.0, 1.0), (0.5,)),
        ((1.0, 0.0), (0.1, 0.5)),
        ((0.0, 1.0), (0.5, 0.4)),
        ((0.0, 1.0), (0.5, 1.1)),
        ((0.0, float("nan")), (0.1, 0.5)),
    ],
)
def test_a_curve_that_falls_or_has_gaps_is_refused(scores, mrr):
    with pytest.raises(ValueError, match="curve"):
        ConfidenceCurve(scores, mrr)


def test_a_model_keeps_its_curve_and_its_version(trained, tmp_path):
    plain, curved = (
        replace(trained, curve=curve).save(tmp_path / name)
        for name, curve in (("plain", DEFAULT_CURVE), ("curved", CURVE))
    )
    assert plain.version == curved.version  # vectors are the same, so members stay comparable
    assert not (tmp_path / "plain" / FILE).exists()
    assert Embedder.load(tmp_path / "plain").curve == DEFAULT_CURVE
    assert Embedder.load(tmp_path / "curved").curve == CURVE
    assert Embedder.load(tmp_path / "curved").save(tmp_path / "again").curve == CURVE


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"format": 2, "knots": [[0, 0.1]]}', '{"format": 1, "knots": [[0, 0.5], [1, 0.1]]}',
     '{"format": 1, "knots": []}', '{"format": 1, "knots": [[0]]}', '{"format": 1}'],
)  # fmt: skip
def test_a_damaged_curve_says_how_to_mend_it(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(IncompatibleModel, match=r"confidence\.json .* twotower calibrate"):
        ConfidenceCurve.load(tmp_path)


def test_confidence_falls_with_every_artist_that_is_hidden(trained):
    profile = ring(1, artists=16, seed=40)[0]
    keys = list(profile.artists)
    expected = []
    for hidden in (0, 4, 8, 12, 15):
        artists = {
            f"hidden {key}" if at < hidden else key: profile.artists[key]
            for at, key in enumerate(keys)
        }
        expected.append(trained.confidence(replace(profile, artists=artists)).expected_mrr)
    assert expected == sorted(expected, reverse=True) and expected[0] > expected[-1]


def test_six_hundred_unknown_artists_are_a_guess(trained):
    """Also if the model knows a few artists of the same person well."""
    unknown = {f"nobody {n}": 10.0 for n in range(600)}
    known = {f"artist {n}": 10.0 for n in range(20, 36)}
    seen = portrait(trained, make_profile("me", unknown | known))
    assert seen.confidence.grade == Grade.GUESS
    assert seen.coverage.from_listening == pytest.approx(16 / 616)
    alone = portrait(trained, make_profile("me", known))
    assert alone.confidence.expected_mrr > seen.confidence.expected_mrr


def test_artists_known_by_genre_only_count_a_tenth(trained):
    by_genre = {f"new {n}": Artist(f"new {n}", 1.0, ("jazz",)) for n in range(8)}
    confidence = trained.confidence(Profile("me", by_genre))
    assert confidence.heard == pytest.approx(0.1) and confidence.grade == Grade.GUESS
    assert trained.confidence(Profile("me", genres={"jazz": 3.0})).grade == Grade.GUESS


def test_little_settled_is_a_sketch_at_most_however_many_artists_are_known():
    sure = Confidence(heard=1.0, expected_mrr=0.95, dimensions=0.5)
    assert sure.grade is Grade.SKETCH
    assert replace(sure, dimensions=1.0).grade is Grade.FULL
    assert replace(sure, expected_mrr=0.1).grade is Grade.GUESS
