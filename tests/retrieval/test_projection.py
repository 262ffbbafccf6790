import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from twotower.retrieval.map_areas import areas
from twotower.retrieval.projection import align, drift, fit_map, place, place_all, reliability

GROUPS, EACH = 4, 50
GROUP = np.repeat(np.arange(GROUPS), EACH)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def planted(seed: int, per_group: int = EACH) -> np.ndarray:
    """Return unit vectors in four distant groups, `per_group` after `per_group`."""
    centres = np.random.default_rng(0).standard_normal((GROUPS, 16))
    noise = np.random.default_rng(seed).standard_normal((GROUPS * per_group, 16))
    return unit(np.repeat(centres, per_group, axis=0) + 0.3 * noise)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return planted(1)


@pytest.fixture(scope="module")
def places(vectors: np.ndarray) -> np.ndarray:
    return fit_map(vectors, seed=3)


def ring(n: int, seed: int = 0) -> np.ndarray:
    """Return (n, 2) points on a circle: cosine and map neighbours are the same."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_a_fitted_map_keeps_groups_together_and_apart(places: np.ndarray):
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    nearest = np.argsort(distance, axis=1)[:, 1:16]
    assert (GROUP[nearest] == GROUP[:, None]).mean() > 0.99


def test_a_fitted_map_is_centred_and_has_half_of_its_listeners_within_one(places: np.ndarray):
    assert (places.shape, places.dtype) == ((GROUPS * EACH, 2), np.float32)
    assert places.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert np.median(np.linalg.norm(places, axis=1)) == pytest.approx(1, rel=1e-5)


def test_the_same_seed_gives_the_same_places_and_another_seed_others(vectors, places):
    assert (fit_map(vectors, seed=3) == places).all()
    assert not np.allclose(fit_map(vectors, seed=4), places)


def test_a_fit_reports_its_progress(vectors):
    told: list[float] = []
    fit_map(vectors, progress=lambda share, doing: told.append(share))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_a_map_continues_from_the_one_before(vectors, places):
    changed = unit(vectors + 0.03 * np.random.default_rng(5).standard_normal(vectors.shape))
    now = fit_map(changed, seed=9, start=places)
    assert 0 < np.median(drift(now, places)) < 0.25
    assert reliability(changed, now).mean() > 0.9 * reliability(changed, fit_map(changed)).mean()
    with pytest.raises(ValueError, match="7 places to start from for 200 vectors"):
        fit_map(vectors, start=places[:7])


def test_a_turned_mirrored_moved_and_scaled_map_is_aligned_with_the_one_before(places):
    turn = np.array([[0.6, 0.8], [0.8, -0.6]])
    other = (3 * places @ turn + [5, -2]).astype(np.float32)
    other[3] = np.nan
    laid = align(other, places)
    assert np.isnan(laid[3]).all()
    assert drift(laid, places) == pytest.approx(np.zeros(len(places) - 1), abs=1e-5)


def test_drift_is_in_standard_deviations_of_the_map_before():
    before = np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [np.nan, np.nan]], np.float32)
    moved = drift(before + np.array([0.5, 0], np.float32), before)  # the spread is 1
    assert moved == pytest.approx([0.5] * 4)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 12])
def test_a_few_listeners_have_places_too(n: int):
    places = fit_map(ring(n))
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == n


def test_vectors_with_nan_have_no_map():
    with pytest.raises(ValueError, match=r"\(40, 2\)"):
        fit_map(np.full((40, 2), np.nan, np.float32))


def test_newcomers_land_in_their_groups(vectors, places):
    newcomers = place_all(planted(2, per_group=10), vectors, places)
    centres = np.array([np.median(places[group == GROUP], axis=0) for group in range(GROUPS)])
    nearest = np.argmin(np.linalg.norm(newcomers[:, None] - centres[None], axis=2), axis=1)
    assert nearest.tolist() == np.repeat(np.arange(GROUPS), 10).tolist()


def test_all_are_placed_as_one_by_one(vectors, places, monkeypatch):
    monkeypatch.setattr("twotower.retrieval.projection._CHUNK", 7)
    newcomers = planted(2, per_group=5)
    together = place_all(newcomers, vectors, places)
    for vector, at in zip(newcomers, together, strict=True):
        nearest = np.argsort(-(vectors @ vector), kind="stable")[:15]
        assert at.tolist() == place(places[nearest]).tolist()


def test_a_newcomer_between_two_islands_goes_to_the_one_with_more_neighbours():
    islands = np.array([[0, 0]] * 9 + [[10, 10]] * 6, np.float32)
    assert place(islands).tolist() == [0, 0]


def test_neighbours_without_a_place_do_not_count():
    known = np.array([[1, 2], [np.nan, np.nan], [3, 6], [2, 4]], np.float32)
    assert place(known).tolist() == [2, 4]
    vectors = unit(np.array([[1, 0], [1, 0.1], [1, 0.2], [1, 0.3]]))
    assert place_all(vectors[:1], vectors, known, k=3).tolist() == [[2, 4]]


def test_without_known_places_a_newcomer_has_none():
    nowhere = np.full((3, 2), np.nan, np.float32)
    assert np.isnan(place(nowhere)).all()
    assert np.isnan(place_all(ring(2), ring(3), nowhere)).all()
    assert np.isnan(place_all(ring(2), ring(0), nowhere[:0])).all()


def test_reliability_is_one_on_a_perfect_map():
    assert reliability(ring(400), ring(400)).tolist() == [1.0] * 400


def test_reliability_is_low_on_a_shuffled_map():
    shuffled = np.random.default_rng(1).permutation(ring(400))
    assert reliability(ring(400), shuffled).mean() < 0.1  # 15 of 399 by chance


def test_reliability_by_hand(monkeypatch):
    monkeypatch.setattr("twotower.retrieval.projection._CHUNK", 2)
    angles = np.radians([0, 10, 23, 50, 92])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    line = np.array([[0, 0], [1, 0], [9, 0], [2.5, 0], [5.6, 0]], np.float32)
    # by angle, two each:  0: 1 2   1: 0 2   2: 1 0   3: 2 1   4: 3 2
    # on the line:         0: 1 3   1: 0 3   2: 4 3   3: 1 0   4: 3 2
    assert reliability(vectors, line, k=2).tolist() == [0.5, 0.5, 0.0, 0.5, 1.0]


def test_reliability_leaves_out_listeners_without_a_place():
    places = ring(100)
    places[::4] = np.nan
    shares = reliability(ring(100), places)
    assert np.isnan(shares[::4]).all()
    assert (shares[~np.isnan(shares)] == 1).all()
    assert (~np.isnan(shares)).sum() == 75


@pytest.mark.parametrize(("n", "expected"), [(0, []), (1, [np.nan]), (3, [1, 1, 1])])
def test_reliability_among_a_few(n: int, expected: list[float]):
    np.testing.assert_array_equal(reliability(ring(n), ring(n)), expected)


def test_twins_do_not_count_as_their_own_neighbours():
    twins = np.repeat(ring(3), 20, axis=0)
    shares = reliability(twins, np.repeat(ring(3), 20, axis=0), k=15)
    assert np.isfinite(shares).all()
    assert shares.max() <= 1


# Areas


def four_corners(seed: int = 0) -> tuple[np.ndarray, list[dict[str, float]]]:
    """Return four islands of different sizes with a taste each; everybody also plays rock."""
    rng = np.random.default_rng(seed)
    tastes = [("doom", "sludge"), ("techno", "house"), ("bebop", "swing"), ("k-pop", "j-pop")]
    sizes = (80, 60, 40, 20)
    corners = np.array([(5, 5), (5, -5), (-5, -5), (-5, 5)])
    group = np.repeat(np.arange(4), sizes)
    tags = [
        {tastes[g][0]: 3 + rng.random(), tastes[g][1]: 2.0, "rock": 4.0, f"odd {n}": 9.0}
        for n, g in enumerate(group)
    ]
    return corners[group] + 0.3 * rng.standard_normal((200, 2)), tags


def test_areas_are_named_by_distinctive_tags():
    places, tags = four_corners()
    found = areas(places, tags, levels=(4,))
    assert [(area.name, area.size) for area in found] == [
        ("doom · sludge", 80),
        ("techno · house", 60),
        ("bebop · swing", 40),
        ("k-pop · j-pop", 20),
    ]
    assert (found[2].x, found[2].y) == pytest.approx((-5, -5), abs=0.2)


def test_no_two_areas_have_the_same_words_in_all_levels():
    places, tags = four_corners()
    found = areas(places, tags, levels=(4, 12))
    words = [frozenset(area.name.split(" · ")) for area in found]
    assert len(set(words)) == len(words) > 6
    assert {area.level for area in found} == {0, 1}


def test_areas_are_the_same_at_each_call():
    places, tags = four_corners()
    assert areas(places, tags, seed=2) == areas(places, tags, seed=2)


def test_two_spellings_of_a_tag_do_not_make_a_name():
    places, tags = four_corners()
    for weights in tags[:80]:
        weights["DOOM"] = weights["doom"]
    assert areas(places, tags, levels=(4,))[0].name.casefold() == "doom · sludge"


def test_listeners_without_place_or_tags_do_not_disturb():
    places, tags = four_corners()
    places[:5] = np.nan
    tags[80:85] = [{}] * 5
    assert [area.size for area in areas(places, tags, levels=(4,))] == [75, 60, 40, 20]


def test_without_distinctive_tags_there_is_no_area():
    places, _ = four_corners()
    assert areas(places, [{"rock": 1.0}] * 200) == ()
    assert areas(places, [{}] * 200) == ()
    assert areas(places[:0], []) == ()
    assert areas(places[:3], [{"rock": 1.0}] * 3) == ()


def test_places_and_tags_must_be_as_many():
    with pytest.raises(ValueError, match="4 places for 3 listeners"):
        areas(ring(4), [{}] * 3)
    with pytest.raises(ValueError, match="4 vectors for 3 places"):
        reliability(ring(4), ring(3))
    with pytest.raises(ValueError, match="4 vectors for 3 places"):
        place_all(ring(2), ring(4), ring(3))


def test_all_but_the_fit_work_without_umap():
    program = (
        "import sys; sys.modules['umap'] = None\n"
        "import numpy as np\n"
        "from twotower.core.errors import MissingData\n"
        "from twotower.retrieval.map_areas import areas\n"
        "from twotower.retrieval.projection import fit_map, place_all, reliability\n"
        "v = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)\n"
        "areas(v, [{'a': 1.0}] * 60); reliability(v, v); place_all(v, v, v)\n"
        "try: fit_map(v)\n"
        "except MissingData as error: print(error)\n"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert "pip install umap-learn" in ran.stdout
