"""Catalogue: rows, estimates of artists, search while typing."""

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest

from twotower.core.domain import AUDIO
from twotower.core.errors import IncompatibleModel
from twotower.core.names import artist_key
from twotower.model.catalogue import NO_GENRE, Catalogue, order_rows

NAMES = ("Radiohead", "The Radio Dept.", "Low", "TV on the Radio", "Lowgold", "Motörhead", "!!!")


@pytest.fixture
def catalogue() -> Catalogue:
    audio = np.arange(len(NAMES) * len(AUDIO), dtype=np.float16).reshape(len(NAMES), -1)
    audio[6] = np.nan
    genre_ids = np.full((len(NAMES), 2), NO_GENRE, np.int16)
    genre_ids[0] = (1, 0)
    genre_ids[2, 0] = 0
    return Catalogue(
        tuple(map(artist_key, NAMES)), NAMES, np.array([9, 8, 7, 3, 2, 0.3, 0], np.float32),
        ("pop", "rock"), genre_ids, audio, np.arange(len(NAMES)) == 0,
    )  # fmt: skip


def test_rows_are_found_by_key_and_unknown_artists_have_none(catalogue):
    assert len(catalogue) == 7
    assert catalogue.row("low") == 2 and catalogue.row("nobody") is None


def test_genres_come_surest_first_and_unknown_ones_are_empty(catalogue):
    assert catalogue.genres_of("radiohead") == ("rock", "pop")
    assert catalogue.genres_of("low") == ("pop",)
    assert catalogue.genres_of("motorhead") == () == catalogue.genres_of("nobody")
    assert [catalogue.has_stated_genres(key) for key in ("radiohead", "low", "nobody")] == [
        True, False, False,
    ]  # fmt: skip


def test_audio_comes_by_name_and_is_empty_if_nothing_is_known(catalogue):
    assert catalogue.audio_of("radio dept") == dict(zip(AUDIO, range(9, 18), strict=True))
    assert catalogue.audio_of("!!!") == {} == catalogue.audio_of("nobody")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("low", ["Low", "Lowgold"]),  # the exact name first
        ("radio", ["Radiohead", "The Radio Dept.", "TV on the Radio"]),  # beginnings, then words
        ("head", ["Radiohead", "Motörhead"]),  # then anywhere, the most played first
        ("MOTÖR", ["Motörhead"]),
        ("the radio", ["Radiohead", "The Radio Dept.", "TV on the Radio"]),
        ("!!!", ["!!!"]),
        ("zz", []),
        ("   ", []),
        ("w l", []),  # nothing is found across two names
    ],
)
def test_search_finds_the_exact_name_then_beginnings_words_and_parts(catalogue, typed, found):
    assert catalogue.search(typed) == found


def test_search_stops_at_the_limit(catalogue):
    assert catalogue.search("o", 2) == ["TV on the Radio", "Radiohead"]
    assert catalogue.search("low", 1) == ["Low"]
    assert catalogue.search("low", 0) == []


def test_an_empty_catalogue_has_nothing_to_find():
    assert Catalogue((), (), np.zeros(0, np.float32)).search("a") == []


def test_search_in_eighty_thousand_names_keeps_up_with_typing():
    keys = tuple(f"artist number {n} of many" for n in range(80_000))
    catalogue = Catalogue(keys, keys, np.zeros(len(keys), np.float32))
    catalogue.search("warm")  # the text is made at the first search
    for typed in ("a", "many", "79999", "nothing like it"):
        took = []
        for _ in range(5):
            began = time.perf_counter()
            catalogue.search(typed)
            took.append(time.perf_counter() - began)
        assert min(took) < 0.03, typed


def test_what_is_saved_comes_back(catalogue, tmp_path):
    catalogue.save(tmp_path)
    again = Catalogue.load(tmp_path)
    assert again.keys == catalogue.keys and again.names == catalogue.names
    assert again.genre_words == catalogue.genre_words
    assert np.array_equal(again.df, catalogue.df) and again.df.dtype == np.float32
    assert np.array_equal(again.genre_ids, catalogue.genre_ids)
    assert np.array_equal(again.audio, catalogue.audio, equal_nan=True)
    assert np.array_equal(again.stated_genres, catalogue.stated_genres)


def test_keys_that_follow_from_the_name_are_not_stored_and_older_files_have_all(tmp_path):
    keys, names = ("low", "mum", "the the"), ("Low", "Múm", "The The")
    Catalogue(keys, names, np.zeros(3, np.float32)).save(tmp_path)
    path = tmp_path / "catalogue.json.gz"
    stored = json.loads(gzip.decompress(path.read_bytes()))
    assert stored["keys"] == ["", "mum", ""]
    assert Catalogue.load(tmp_path).keys == keys
    path.write_bytes(gzip.compress(json.dumps(stored | {"keys": keys}).encode()))
    assert Catalogue.load(tmp_path).keys == keys


def test_genres_of_an_older_catalogue_are_estimates(catalogue, tmp_path):
    catalogue.save(tmp_path)
    with np.load(tmp_path / "catalogue.npz") as arrays:
        older = {name: arrays[name] for name in ("df", "genre_ids", "audio")}
    np.savez(tmp_path / "catalogue.npz", **older)
    again = Catalogue.load(tmp_path)
    assert again.genres_of("radiohead") == ("rock", "pop")
    assert not again.has_stated_genres("radiohead")


def test_an_older_model_finds_its_artists_by_the_keys_of_today(tmp_path):
    names = ("周杰倫", "Jay Chou", "Kıraç", "Low")
    Catalogue(("周杰倫", "jay chou", "kırac", "low"), names, np.ones(4, np.float32)).save(tmp_path)
    _rewrite(key_rules=None)(tmp_path)
    loaded = Catalogue.load(tmp_path)
    found = ("周杰伦", "周杰倫 Jay Chou", "Jay Chou", "Kirac", "Low")
    assert [loaded.row(artist_key(name)) for name in found] == [0, 0, 0, 2, 3]
    assert len(set(loaded.keys)) == 4


def test_search_finds_names_that_keep_their_accents_without_them():
    names = ("ROSÉ", "Rosetta", "Low")
    catalogue = Catalogue(tuple(map(artist_key, names)), names, np.ones(3, np.float32))
    assert catalogue.search("rose") == catalogue.search("rosé") == ["ROSÉ", "Rosetta"]


def test_counts_beyond_half_precision_are_kept(tmp_path):
    Catalogue(("a",), ("A",), np.array([200_001], np.float32)).save(tmp_path)
    assert Catalogue.load(tmp_path).df.tolist() == [200_001]


def _cut(folder: Path) -> None:
    path = folder / "catalogue.npz"
    path.write_bytes(path.read_bytes()[:-40])


def _garble(folder: Path) -> None:
    path = folder / "catalogue.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 20] = b"x" * 20
    path.write_bytes(data)


def _rewrite(**changed: object):
    def act(folder: Path) -> None:
        path = folder / "catalogue.json.gz"
        told = json.loads(gzip.decompress(path.read_bytes())) | changed
        path.write_bytes(gzip.compress(json.dumps(told).encode()))

    return act


@pytest.mark.parametrize(
    "spoil",
    [
        _cut,
        _garble,
        _rewrite(names=["one"]),
        _rewrite(keys=None),
        lambda folder: (folder / "catalogue.json.gz").unlink(),
        lambda folder: (folder / "catalogue.json.gz").write_bytes(gzip.compress(b"{")),
        lambda folder: (folder / "catalogue.json.gz").write_bytes(b"[]"),
        lambda folder: (folder / "catalogue.npz").write_bytes(b""),
        lambda folder: np.savez(folder / "catalogue.npz", df=np.array([{}], dtype=object)),
    ],
)
def test_damaged_or_mismatched_files_say_what_to_do(catalogue, tmp_path, spoil):
    catalogue.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(IncompatibleModel, match=r"train a new|different trainings"):
        Catalogue.load(tmp_path)


def test_rows_go_by_listeners_then_popularity_then_key():
    order = order_rows(
        np.array([1.0, 5.0, 1.0, 1.0]), np.array([0.0, 0.0, 9.0, 0.0]), np.array(list("dbca"))
    )
    assert order.tolist() == [1, 2, 3, 0]
