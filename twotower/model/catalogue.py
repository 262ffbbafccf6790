"""The artists that a model knows, most played first, and what is shown of them."""

import gzip
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from twotower.core.domain import AUDIO
from twotower.core.errors import IncompatibleModel
from twotower.core.names import artist_key

NO_GENRE = -1


@dataclass(frozen=True)
class Catalogue:
    """Rows of artists; row 0 is the most played. Genres and audio are the model's estimates."""

    keys: tuple[str, ...]
    names: tuple[str, ...]
    df: np.ndarray  # (n,) float32: weighted number of training listeners, 0 if known by content
    genre_words: tuple[str, ...] = ()
    genre_ids: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int16))  # (n, g)
    audio: np.ndarray = field(default_factory=lambda: np.zeros((0, len(AUDIO)), np.float16))

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        return {key: row for row, key in enumerate(self.keys)}

    def row(self, key: str) -> int | None:
        """Row of an artist key, or None if the model has never met it."""
        return self.row_of.get(key)

    def genres_of(self, key: str) -> tuple[str, ...]:
        """Estimated genres, the surest first; empty for an unknown artist."""
        row = self.row_of.get(key)
        if row is None or not len(self.genre_ids):
            return ()
        return tuple(self.genre_words[i] for i in self.genre_ids[row] if i != NO_GENRE)

    def audio_of(self, key: str) -> Mapping[str, float]:
        """Estimated audio attributes in their own units; empty where there is none."""
        row = self.row_of.get(key)
        if row is None or not len(self.audio) or not np.isfinite(self.audio[row]).all():
            return {}
        return dict(zip(AUDIO, map(float, self.audio[row]), strict=True))

    def search(self, text: str, limit: int = 20) -> list[str]:
        """Names that match what was typed: exact, then beginnings, then words, then anywhere."""
        try:
            wanted = artist_key(text)
        except ValueError:
            return []
        exact = self.row_of.get(wanted)
        found = {} if exact is None else {exact: None}  # rows, the best first
        for pattern in (f"\n{wanted}", f" {wanted}", wanted):
            for row in self._containing(pattern):
                if len(found) >= limit:
                    break
                found[row] = None
        return [self.names[row] for row in list(found)[:limit]]

    def _containing(self, pattern: str) -> Iterator[int]:
        """Rows, ascending, in whose key the pattern occurs; a key begins with a line's end."""
        text, starts = self._joined_keys
        at = text.find(pattern)
        while at >= 0:
            row = int(np.searchsorted(starts, at, side="right")) - 1
            yield row
            at = text.find(pattern, int(starts[row + 1]))

    @cached_property
    def _joined_keys(self) -> tuple[str, np.ndarray]:
        """All keys in one text, to search at once, and where each begins in it (n + 1,)."""
        lengths = np.fromiter(map(len, self.keys), np.int64, len(self.keys))
        starts = np.concatenate([[0], np.cumsum(lengths + 1)])
        return "".join(f"\n{key}" for key in self.keys), starts

    def save(self, folder: Path) -> None:
        """`catalogue.json.gz` with names and words, `catalogue.npz` with numbers."""
        document = {"names": self.names, "keys": self.keys, "genres": self.genre_words}
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        (folder / "catalogue.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        np.savez_compressed(
            folder / "catalogue.npz",
            df=self.df.astype(np.float32),
            genre_ids=self.genre_ids.astype(np.int16),
            audio=self.audio.astype(np.float16),
        )

    @classmethod
    def load(cls, folder: Path) -> "Catalogue":
        """IncompatibleModel where the files are damaged or don't fit together."""
        try:
            document = json.loads(gzip.decompress((folder / "catalogue.json.gz").read_bytes()))
            with np.load(folder / "catalogue.npz", allow_pickle=False) as arrays:
                catalogue = cls(
                    tuple(document["keys"]),
                    tuple(document["names"]),
                    arrays["df"].astype(np.float32),
                    tuple(document["genres"]),
                    arrays["genre_ids"],
                    arrays["audio"],
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
                f"the catalogue in {folder.name} can't be read ({error}); restore it or train anew"
            ) from error
        if not len(catalogue.keys) == len(catalogue.names) == len(catalogue.df):
            raise IncompatibleModel(
                f"{len(catalogue.keys)} keys, {len(catalogue.names)} names and "
                f"{len(catalogue.df)} counts in {folder.name}: files of different training runs"
            )
        return catalogue


def order_rows(df: np.ndarray, popularity: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Row order of a catalogue: most listeners first, then popularity, then the key."""
    return np.lexsort((keys.astype(str), -popularity, -df))
