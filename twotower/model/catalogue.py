"""Catalogue of the artists that a model knows, most played first."""

import gzip
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from twotower.core.domain import AUDIO
from twotower.core.errors import IncompatibleModel
from twotower.core.names import KEY_RULES, artist_key, plain_key
from twotower.core.placeholders import is_placeholder

NO_GENRE = -1
# Weight of an artist whose genres are estimated, beside 1 if a source gives them. With the genres
# of 8,000 artists hidden, 40 % of the words estimated for artists without listeners were right,
# 49 % with fewer than 2 listeners, 56 % with 2 to 9, 77 % with 10 or more.
ESTIMATE_WEIGHT = 0.5


@dataclass(frozen=True)
class Catalogue:
    """Artists as rows; row 0 is the most played. Audio is the model's estimate.

    Genres are those that a source gives; for artists without any, they are the model's estimate.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    df: np.ndarray  # (n,) float32 training listeners, weighted; 0 if known by content only
    genre_words: tuple[str, ...] = ()
    genre_ids: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int16))  # (n, g)
    audio: np.ndarray = field(default_factory=lambda: np.zeros((0, len(AUDIO)), np.float16))
    # (n,) bool: the genres come from a source; empty in models of before, all of them estimates
    stated_genres: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Artist key -> row."""
        return {key: row for row, key in enumerate(self.keys)}

    def row(self, key: str) -> int | None:
        """Return the row of an artist key, None if the catalogue lacks it."""
        return self.row_of.get(key)

    def name_of(self, key: str) -> str | None:
        """Return the name of an artist key, None if the catalogue lacks it."""
        row = self.row_of.get(key)
        return None if row is None else self.names[row]

    def genres_of(self, key: str) -> tuple[str, ...]:
        """Return the genres, best first; empty for an unknown artist."""
        row = self.row_of.get(key)
        if row is None or not len(self.genre_ids):
            return ()
        return tuple(self.genre_words[i] for i in self.genre_ids[row] if i != NO_GENRE)

    def genre_weights_of(self, key: str) -> Mapping[str, float]:
        """Return genre -> weight; the sum is 1 if a source gives them, less if estimated."""
        words = self.genres_of(key)
        certainty = 1.0 if self.has_stated_genres(key) else ESTIMATE_WEIGHT
        return {word: certainty / len(words) for word in words}

    def has_stated_genres(self, key: str) -> bool:
        """Return True if a source gives the artist's genres, False if they are an estimate."""
        row = self.row_of.get(key)
        return row is not None and bool(len(self.stated_genres)) and bool(self.stated_genres[row])

    def audio_of(self, key: str) -> Mapping[str, float]:
        """Return estimated audio attributes in their own units; empty if there are none."""
        row = self.row_of.get(key)
        if row is None or not len(self.audio) or not np.isfinite(self.audio[row]).all():
            return {}
        return dict(zip(AUDIO, map(float, self.audio[row]), strict=True))

    def search(self, text: str, limit: int = 20) -> list[str]:
        """Return names that match a typed text: exact, then prefixes, then words, then anywhere.

        Names that stand for no artist ("Various Artists") are in older models; they are left out.
        """
        try:
            key = artist_key(text)
        except ValueError:
            return []
        exact = self.row_of.get(key)
        rows = {} if exact is None else {exact: None}  # best first
        key = plain_key(key)
        for pattern in (f"\n{key}", f" {key}", key):
            for row in self._containing(pattern):
                if len(rows) >= limit:
                    break
                rows[row] = None
        found = (self.names[row] for row in rows)
        return [name for name in found if not is_placeholder(name)][:limit]

    def _containing(self, pattern: str) -> Iterator[int]:
        """Yield rows, ascending, whose key contains the pattern; each key begins with a newline."""
        text, starts = self._joined_keys
        at = text.find(pattern)
        while at >= 0:
            row = int(np.searchsorted(starts, at, side="right")) - 1
            yield row
            at = text.find(pattern, int(starts[row + 1]))

    @cached_property
    def _joined_keys(self) -> tuple[str, np.ndarray]:
        """All keys in one text, for a fast search, and the start of each in it, (n + 1,)."""
        keys = [plain_key(key) for key in self.keys]
        lengths = np.fromiter(map(len, keys), np.int64, len(keys))
        starts = np.concatenate([[0], np.cumsum(lengths + 1)])
        return "".join(f"\n{key}" for key in keys), starts

    def select(self, rows: np.ndarray) -> "Catalogue":
        """Return the catalogue of these rows, (n,)."""
        return Catalogue(
            tuple(self.keys[row] for row in rows),
            tuple(self.names[row] for row in rows),
            self.df[rows],
            self.genre_words,
            self.genre_ids[rows] if len(self.genre_ids) else self.genre_ids,
            self.audio[rows] if len(self.audio) else self.audio,
            self.stated_genres[rows] if len(self.stated_genres) else self.stated_genres,
        )

    def save(self, folder: Path) -> None:
        """Write `catalogue.json.gz` with texts and `catalogue.npz` with numbers."""
        keys = [
            "" if key == name.lower() else key  # most keys are
            for key, name in zip(self.keys, self.names, strict=True)
        ]
        document = {
            "names": self.names,
            "keys": keys,
            "key_rules": KEY_RULES,
            "genres": self.genre_words,
        }
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        (folder / "catalogue.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        optional: dict[str, np.ndarray] = {}
        if len(self.stated_genres):
            optional["stated_genres"] = self.stated_genres.astype(bool)
        np.savez_compressed(
            folder / "catalogue.npz",
            allow_pickle=False,
            df=self.df.astype(np.float32),
            genre_ids=self.genre_ids.astype(np.int16),
            audio=self.audio.astype(np.float16),
            **optional,
        )

    @classmethod
    def load(cls, folder: Path) -> "Catalogue":
        """Read the files of `save`; an older model's artists get the keys of today.

        Raises IncompatibleModel if the files are damaged or don't fit.
        """
        try:
            document = json.loads(gzip.decompress((folder / "catalogue.json.gz").read_bytes()))
            with (
                (folder / "catalogue.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                catalogue = cls(
                    _keys(document),
                    tuple(document["names"]),
                    arrays["df"].astype(np.float32),
                    tuple(document["genres"]),
                    arrays["genre_ids"],
                    arrays["audio"],
                    arrays["stated_genres"] if "stated_genres" in arrays else np.zeros(0, bool),
                )
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise IncompatibleModel(
                f"the catalogue in {folder.name} can't be read ({error}): restore it or train a "
                "new model"
            ) from error
        if not len(catalogue.keys) == len(catalogue.names) == len(catalogue.df):
            raise IncompatibleModel(
                f"{len(catalogue.keys)} keys, {len(catalogue.names)} names and "
                f"{len(catalogue.df)} counts in {folder.name}: files of different trainings"
            )
        return catalogue


def _keys(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of a saved catalogue; those of older rules are made anew.

    A key that is the name in lower case is stored as an empty text.
    """
    names, keys = document["names"], document["keys"]
    if document.get("key_rules") != KEY_RULES:
        return current_keys(names)
    if len(keys) != len(names):
        return tuple(keys)  # which `load` refuses
    return tuple(key or name.lower() for key, name in zip(keys, names, strict=True))


def current_keys(names: Sequence[str]) -> tuple[str, ...]:
    """Return the artist keys of a catalogue's names, all different.

    Of rows with the same key only the first, the most played, can be found by it.
    """
    first: dict[str, int] = {}
    keys = [artist_key(name) for name in names]
    for row, key in enumerate(keys):
        if first.setdefault(key, row) != row:
            keys[row] = f"{key} #{row}"
    return tuple(keys)


def order_rows(df: np.ndarray, popularity: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the row order of a catalogue: by listeners, then popularity, then key."""
    return np.lexsort((keys.astype(str), -popularity, -df))
