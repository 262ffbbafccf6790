"""Estimated genres and audio of artists without published ones."""

import numpy as np
from planted import QUARTERS, RING, quarter, ring, ring_content

from twotower.core.domain import AUDIO, AUDIO_RANGE
from twotower.model.artist_features import assign_folds, build_training_data, cross_fit
from twotower.model.catalogue import NO_GENRE
from twotower.model.estimates import GENRES_SHOWN, estimate_audio, genres_of_artists
from twotower.sources.datasets.artist_content import ArtistContent

LISTENERS = ring(120)


def table_of(content: list[ArtistContent], tags=()):
    world = build_training_data(LISTENERS, content, tags)
    return world, cross_fit(world, assign_folds(world.source, 4, seed=0)).whole


def rows_without_genres(world) -> list[int]:
    """Return rows of the artists without content in `ring_content`."""
    return [row for row, key in enumerate(world.keys) if not world.genres[row]]


def test_genres_are_estimated_for_artists_without_any():
    world, table = table_of(ring_content())
    words, ids, are_stated = genres_of_artists(world, table)
    assert set(words) == set(QUARTERS) and ids.shape == (RING, GENRES_SHOWN)
    rows = rows_without_genres(world)
    assert len(rows) == 40 and np.flatnonzero(~are_stated).tolist() == rows
    right = [words[ids[row, 0]] == QUARTERS[quarter(world.keys[row])] for row in rows]
    assert np.mean(right) > 0.85


def test_genres_that_a_source_gives_are_kept_as_they_are():
    """An artist among metal listeners keeps its own genres, however rare, and gets no others."""
    content = ring_content()
    sami = [ArtistContent(f"artist {n}", f"artist {n}", ("joik", "folk", "home:no"))
            for n in range(5)]  # fmt: skip
    world, table = table_of(sami + [c for c in content if int(c.key.split()[1]) >= 5])
    words, ids, are_stated = genres_of_artists(world, table)
    for row in (world.keys.index(f"artist {n}") for n in range(5)):
        assert are_stated[row]
        assert {words[i] for i in ids[row] if i != NO_GENRE} == {"joik", "folk"}
    assert "home:no" not in words
    estimated = {words[i] for i in ids[~are_stated].ravel() if i != NO_GENRE}
    assert estimated == set(QUARTERS)  # five artists are too few to estimate a genre


def test_no_genre_comes_twice_and_uncertain_ones_are_left_out():
    world, table = table_of(ring_content())
    ids = genres_of_artists(world, table).ids
    for row in ids:
        shown = row[row != NO_GENRE].tolist()
        assert len(set(shown)) == len(shown)
        assert row.tolist() == shown + [NO_GENRE] * (GENRES_SHOWN - len(shown))
    assert (ids == NO_GENRE).any()


def test_fewer_genres_than_are_shown_are_enough():
    two = [c for c in ring_content() if c.genres[0] in ("metal", "jazz")]
    world, table = table_of(two)
    words, ids, _ = genres_of_artists(world, table)
    assert words == ("jazz", "metal") and ids.shape == (RING, GENRES_SHOWN)
    assert (ids[:, 2:] == NO_GENRE).all()


def test_without_genres_there_are_no_words():
    world, table = table_of([])
    words, ids, _ = genres_of_artists(world, table)
    assert words == () and (ids == NO_GENRE).all() and len(ids) == len(world.keys)


def test_tags_of_two_listeners_are_genres_if_none_are_published():
    heard = [
        (p.id, key, f"{QUARTERS[quarter(key)]} heard", None) for p in LISTENERS for key in p.artists
    ]
    alone = [(LISTENERS[0].id, key, "mine alone", None) for p in LISTENERS for key in p.artists]
    world, table = table_of([], heard + alone)
    words, ids, _ = genres_of_artists(world, table)
    assert set(words) == {f"{quarter} heard" for quarter in QUARTERS}
    right = [words[i] == f"{QUARTERS[quarter(k)]} heard"
             for k, i in zip(world.keys, ids[:, 0], strict=True) if i != NO_GENRE]  # fmt: skip
    assert np.mean(right) > 0.95


def test_audio_is_learned_in_its_own_units_and_ranges():
    world, table = table_of(ring_content())
    audio = estimate_audio(world, table).astype(float)
    assert audio.shape == (RING, len(AUDIO))
    for column, name in enumerate(AUDIO):
        low, high = AUDIO_RANGE[name]
        assert low <= audio[:, column].min() and audio[:, column].max() <= high
    energy, tempo = audio[:, AUDIO.index("energy")], audio[:, AUDIO.index("tempo")]
    rows = rows_without_genres(world)
    at = np.array([quarter(world.keys[row]) for row in rows])
    assert [tempo[rows][at == q].mean() for q in range(4)] == sorted(
        tempo[rows][at == q].mean() for q in range(4)
    )
    assert np.corrcoef(energy[rows], at)[0, 1] > 0.8


def test_audio_doesnt_look_at_the_audio_it_estimates():
    """Two artists that differ in published audio only get the same estimate."""
    content = ring_content()
    odd = next(at for at, c in enumerate(content) if c.key == "artist 3")
    world, table = table_of(content)
    before = estimate_audio(world, table)
    lying = [
        ArtistContent(c.key, c.name, c.genres, {n: AUDIO_RANGE[n][1] for n in AUDIO}, c.popularity)
        if at == odd else c for at, c in enumerate(content)
    ]  # fmt: skip
    moved, after = table_of(lying)
    row, other = world.keys.index("artist 3"), moved.keys.index("artist 3")
    energy = AUDIO.index("energy")
    assert abs(float(estimate_audio(moved, after)[other, energy] - before[row, energy])) < 0.1


def test_with_too_little_audio_there_are_no_estimates():
    silent = [ArtistContent(c.key, c.name, c.genres) for c in ring_content()]
    world, table = table_of(silent)
    assert estimate_audio(world, table).shape == (0, len(AUDIO))
