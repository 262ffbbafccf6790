"""Similarity and the hub-corrected order, compared with all pairs computed at once."""

import numpy as np
import pytest
import scipy.sparse as sp
from planted import people, ring

from twotower.evaluation.methods.baselines import fit_idf_cosine
from twotower.model.catalogue import Catalogue
from twotower.model.ease import ItemItemWeights
from twotower.model.play_matrix import artist_plays
from twotower.retrieval.similarity import (
    DENSITY_NEIGHBOURS,
    HUB_SHARE,
    RERANKED,
    W_ITEM_ITEM,
    W_OVERLAP,
    W_VECTOR,
    ListenerBatch,
    PlayRowReader,
    candidates_needed,
    hub_corrected,
    item_item_similarity,
    local_density,
    pair_quantiles,
    rank_csls,
    similarity,
    similarity_of_pairs,
)
from twotower.retrieval.topk import top_k
from twotower.sources.datasets.public import Training


def unit(rows: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((rows, 16)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def reader(companions: ItemItemWeights) -> PlayRowReader:
    keys = tuple(f"a{at}" for at in range(companions.size))
    return PlayRowReader(Catalogue(keys, keys, np.arange(1, len(keys) + 1.0)), 40, companions)


def drawn(size: int, seed: int) -> ItemItemWeights:
    """Fit item-item weights of a few listeners with random artists."""
    rows = np.random.default_rng(seed).random((60, size)) < 0.3
    return ItemItemWeights.fit(sp.csr_matrix(rows.astype(np.float32) * 5))


READER = reader(drawn(12, 7))


def crowd(count: int, seed: int = 0) -> ListenerBatch:
    """Return listeners with random vectors, and three of twelve artists each."""
    rng = np.random.default_rng(seed)
    artist_plays = [
        [(f"a{at}", float(rng.integers(1, 50))) for at in rng.choice(12, 3, replace=False)]
        for _ in range(count)
    ]
    return ListenerBatch(unit(count, seed), unit(count, seed + 1), READER.read(artist_plays))


EVERYONE = crowd(150)


def search(
    one: ListenerBatch, among: ListenerBatch, count: int, own: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    near = local_density(similarity(among, among), ~np.eye(len(among), dtype=bool))
    density = local_density(similarity(one, among), np.arange(len(among))[None] != own)[0]
    rows, _ = top_k(among.candidate, one.user[0], candidates_needed(count))
    rows = rows[rows != own]
    placed, similar = rank_csls(one, among.select(rows), density, near[rows], count)
    return rows[placed], similar


@pytest.mark.parametrize("count", [0, 1, 10, 149, 150, 1000])
def test_similarity_is_less_a_share_of_both_local_densities_and_is_the_order(count):
    rows, similar = search(EVERYONE.select([3]), EVERYONE, count, own=3)
    among = similarity(EVERYONE, EVERYONE)
    np.fill_diagonal(among, -np.inf)
    near = np.sort(among, axis=1)[:, -DENSITY_NEIGHBOURS:].mean(axis=1)
    corrected = among[3] - HUB_SHARE * (near[3] + near)
    expected = np.argsort(-corrected, kind="stable")[: min(count, 149)]
    assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(similar, corrected[expected], atol=1e-6)


def test_the_hub_correction_is_worked_out_by_hand():
    scores = np.array([[0.5, 0.2]])
    corrected = hub_corrected(scores, np.array([0.1]), np.array([0.3, 0.0]), 0.5)
    np.testing.assert_allclose(corrected, [[0.3, 0.15]])


def test_quantiles_of_pairs_leave_out_everyone_with_themselves():
    corrected = np.array([[9.0, 0.1, 0.2], [0.1, 9.0, 0.4], [0.2, 0.4, 9.0]])
    quantiles = pair_quantiles(corrected)
    assert (quantiles[0], quantiles[500], quantiles[-1]) == pytest.approx((0.1, 0.2, 0.4))


def test_quantiles_of_no_pairs_span_all_values():
    assert pair_quantiles(np.zeros((1, 1)))[[0, -1]].tolist() == [-1, 1]


def test_similarity_is_alike_from_both_sides_and_made_of_its_three_parts():
    scores = similarity(EVERYONE, EVERYONE)
    np.testing.assert_allclose(scores, scores.T, atol=1e-6)
    a, b = EVERYONE.select([4]), EVERYONE.select([9])
    taste = (a.user[0] @ b.candidate[0] + a.candidate[0] @ b.user[0]) / 2
    same = float((a.play_rows.tfidf @ b.play_rows.tfidf.T).toarray()[0, 0]) ** 0.5
    goes = float(item_item_similarity(a.play_rows, b.play_rows)[0, 0])
    assert pytest.approx(1) == W_VECTOR + W_OVERLAP + W_ITEM_ITEM and goes > 0
    assert scores[4, 9] == pytest.approx(
        W_VECTOR * taste + W_OVERLAP * same + W_ITEM_ITEM * goes, abs=1e-6
    )
    pairs = similarity_of_pairs(EVERYONE.select([4, 9]), EVERYONE.select([9, 30]))
    np.testing.assert_allclose(pairs, [scores[4, 9], scores[9, 30]], atol=1e-6)


def test_nearness_is_the_mean_of_the_best_that_count():
    scores = np.arange(24.0).reshape(2, 12)
    assert local_density(scores).tolist() == [6.5, 18.5]
    counted = np.ones((2, 12), bool)
    counted[0, 3:] = False
    counted[1] = False
    assert local_density(scores, counted).tolist() == [1.0, 0.0]
    assert local_density(np.zeros((2, 0))).tolist() == [0.0, 0.0]


def test_one_listener_may_be_left_out_and_the_count_is_full_all_the_same():
    one = EVERYONE.select([3])
    everyone, _ = search(one, EVERYONE, 150)
    others, _ = search(one, EVERYONE, 149, own=3)
    assert 3 in everyone and 3 not in others and len(others) == 149


def test_a_list_longer_than_the_reranked_candidates_is_complete():
    many = crowd(RERANKED + 60, 2)
    rows, _ = search(EVERYONE.select([0]), many, RERANKED + 20, own=7)
    assert len(set(rows.tolist())) == RERANKED + 20 and 7 not in rows


def test_equal_listeners_come_by_row():
    same = EVERYONE.select([0] * 5)
    rows, _ = search(same.select([0]), same, 5)
    assert rows.tolist() == [0, 1, 2, 3, 4]


def test_without_candidates_the_ranking_is_empty():
    nobody = EVERYONE.select([])
    rows, similar = search(EVERYONE.select([0]), nobody, 10)
    assert rows.shape == similar.shape == (0,)


def test_a_hub_loses_places_by_local_scaling():
    """A listener near everyone is first on most lists, and on few after the correction."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((80, 64)) + 0.6
    drawn[0] = 0.6 + 0.2 * drawn[0]
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    rows = drawn.astype(np.float32)
    people = ListenerBatch(rows, rows, READER.read([[]] * 80))
    plain = similarity(people, people)
    np.fill_diagonal(plain, -np.inf)
    before = sum(plain[row].argmax() == 0 for row in range(1, 80))
    after = sum(search(people.select([row]), people, 1, own=row)[0][0] == 0 for row in range(1, 80))
    assert before > 40 and after < before / 2


def test_rare_artists_are_read_as_the_idf_cosine_reads_them():
    """With all artists in the catalogue, overlap is the same as the tf-idf baseline."""
    profiles = people(40, 12)
    cosine = fit_idf_cosine(Training(profiles))
    keys = tuple(sorted(cosine.counts))
    df = np.array([cosine.counts[key] for key in keys], np.float32)
    read = PlayRowReader(
        Catalogue(keys, keys, df), len(profiles), ItemItemWeights.empty(len(keys))
    ).read
    rows = read([artist_plays(p) for p in profiles]).tfidf
    np.testing.assert_allclose(
        (rows @ rows.T).toarray(), cosine.scores(profiles, profiles), atol=1e-5
    )


def test_an_artist_that_the_model_has_never_met_counts_as_the_rarest(trained):
    one = [("artist 1", 5.0), ("hit 1", 5.0), ("somebody new", 5.0)]
    rows = (
        PlayRowReader.of(trained)
        .read([one, [("somebody new", 9.0)], [("hit 1", 9.0)], [], [("another", 1.0)]])
        .tfidf
    )
    shared = (rows @ rows.T).toarray()
    assert shared[0, 1] > shared[0, 2] > 0
    assert not shared[3].any() and shared[4, 0] == 0
    np.testing.assert_allclose(np.diag(shared), [1, 1, 1, 0, 1], atol=1e-6)


def test_all_that_ranking_needs_comes_of_profiles(trained):
    profiles = ring(6, artists=16, hits=8, seed=3)
    found_people = ListenerBatch.of(trained, profiles)
    np.testing.assert_allclose(found_people.user, trained.embed(profiles, "user"), atol=1e-6)
    np.testing.assert_allclose(
        found_people.candidate, trained.embed(profiles, "candidate"), atol=1e-6
    )
    assert len(found_people.play_rows) == len(found_people) == 6


def test_artists_that_go_together_count_by_hand():
    """One plays a and b, another c; a predicts c with weight .3, and b predicts a with .4."""
    goes = ItemItemWeights(
        3,
        np.arange(3, dtype=np.int32),
        np.array([[2] + [0] * 19, [0] * 20, [0] * 20], np.uint16),
        np.array([[0.3] + [0] * 19, [0.4] + [0] * 19, [0] * 20], np.float16),
    )
    read = reader(goes).read
    one, other = read([[("a0", 1.0), ("a1", 1.0)]]), read([[("a2", 9.0)], [("new", 1.0)], []])
    cosine = 0.3 / np.hypot(0.3, 0.4)  # of c with the artists that a and b predict
    assert item_item_similarity(one, other)[0] == pytest.approx([cosine / 2, 0, 0], abs=1e-3)
    np.testing.assert_allclose(
        item_item_similarity(one, other), item_item_similarity(other, one).T, atol=1e-6
    )
