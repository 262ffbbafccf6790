"""Genres, audio, names and tags as numbers, for artists known and unknown."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from twotower.model.content import (
    AUDIO_WIDTH,
    GENRE_DIM,
    GENRE_WIDTH,
    NAME_DIM,
    TAG_DIM,
    TAG_WIDTH,
    ContentSpace,
    fit_tags,
    read_tags,
)

GENRES = [("rock",), ("rock", "indie"), ("jazz",), ("jazz", "bebop"), ("rare",), ()]
STEMS = ("Radio", "Motor", "Crystal", "Velvet", "Thunder", "Silver")


def columns(count: int) -> np.ndarray:
    """Return (count, 10) audio: energy rises, popularity falls, the rest is unknown."""
    audio = np.full((count, 10), np.nan, np.float32)
    audio[:, 1] = np.linspace(0, 1, count)
    audio[:, 9] = np.linspace(100, 0, count)
    return audio


@pytest.fixture(scope="module")
def space() -> ContentSpace:
    genres = [words for _ in range(10) for words in GENRES]
    genres[4 + 6 * 5 :: 6] = [()] * 5  # "rare" is left at five artists, and counts
    genres[4] = ("once",)  # and now at four, so it doesn't
    names = [f"{STEMS[n % 6]} {chr(97 + n % 26) * 3}" for n in range(60)]
    return ContentSpace.fit(genres, names, columns(60))


def test_genres_of_five_artists_or_more_count(space):
    assert space.genre_words == ("bebop", "indie", "jazz", "rock")
    assert space.genre_row["jazz"] == 2 and space.genre_set == set(space.genre_words)


def test_genres_are_directions_and_a_flag_says_whether_any_is_known(space):
    out = space.genres([("rock",), {"rock": 3.0}, ("rock", "unheard of"), ("jazz",), ("once",), ()])
    assert out.shape == (6, GENRE_WIDTH) and out.dtype == np.float32
    assert np.allclose(out[0], out[1]) and np.allclose(out[0], out[2])  # weights are relative
    assert out[0, :GENRE_DIM] @ out[3, :GENRE_DIM] < 0.5 * np.square(out[0, :GENRE_DIM]).sum()
    assert out[:, -1].tolist() == [1, 1, 1, 1, 0, 0]
    assert not out[4:].any()


def test_weights_of_nothing_or_less_are_no_genres(space):
    assert not space.genres([{"rock": 0.0, "jazz": -2.0}]).any()


def test_names_with_the_same_letters_are_near(space):
    out = space.names(["Radio aaa", "Radio bbb", "Thunder zzz"])
    assert out.shape == (3, NAME_DIM)
    unit = out / np.linalg.norm(out, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2


@given(st.lists(st.text(max_size=300), min_size=1, max_size=4))
def test_any_name_is_read(space, names):
    out = space.names(names)
    assert out.shape == (len(names), NAME_DIM) and np.isfinite(out).all()


def test_audio_is_standardised_clipped_and_flagged(space):
    audio = columns(3)
    audio[2] = np.nan
    audio[0, 1], audio[1, 1] = 0.5, 900.0
    audio[1, 9] = np.nan
    out = space.audio(audio)
    assert out.shape == (3, AUDIO_WIDTH)
    assert out[0, 1] == pytest.approx(0, abs=1e-5) and out[1, 1] == 3
    assert out[:, -1].tolist() == [1, 1, 0] and not out[2].any()
    assert out[1, 9] == 0  # unknown popularity is the mean


def test_popularity_alone_is_no_audio(space):
    audio = np.full((1, 10), np.nan, np.float32)
    audio[0, 9] = 50
    assert space.audio(audio)[0, -1] == 0


def test_without_any_content_all_is_zero():
    space = ContentSpace.fit([(), ()], ["a", "b"], np.full((2, 10), np.nan, np.float32))
    assert space.genre_words == ()
    assert not space.genres([("rock",), {"rock": 2.0}]).any()
    assert not space.audio(np.full((2, 10), np.nan, np.float32)).any()
    assert np.isfinite(space.names(["a", "zz"])).all()


def test_tags_of_similar_artists_are_close_and_are_counted():
    # artists 0 to 3 have tags a and b, 4 to 7 c and d, the last none
    counts = sp.csr_matrix([[3, 3, 0, 0]] * 4 + [[0, 0, 3, 3]] * 4 + [[0] * 4], dtype=np.float32)
    space = fit_tags(counts, ["a", "b", "c", "d"])
    out = read_tags(space, counts)
    assert out.shape == (9, TAG_WIDTH)
    assert np.allclose(out[0], out[3]) and abs(out[0, :TAG_DIM] @ out[4, :TAG_DIM]) < 1e-3
    assert np.linalg.norm(out[0, :TAG_DIM]) == pytest.approx(8, rel=1e-3)
    assert out[:, -1].tolist() == pytest.approx([np.log(3) / 2] * 8 + [0])
    assert not out[8].any()


def test_the_same_seed_fits_the_same_space(space):
    one, two = (ContentSpace.fit(GENRES * 9, ["n"] * 54, columns(54), seed=3) for _ in range(2))
    assert np.array_equal(one.genre_basis, two.genre_basis)
    assert np.array_equal(one.name_basis, two.name_basis)
