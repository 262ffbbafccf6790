"""Many profiles in few bytes: what training reads of them, as arrays that processes can share.

A `Profile` takes some 240 bytes of memory an artist; packed it takes 12.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from twotower.core.domain import Artist, Playlist, Profile


@dataclass(frozen=True)
class Packed(Sequence[Profile]):
    """Profiles with their artists, plays, origin, id and titles of playlists, and nothing else.

    An artist is named as the first listener in the order of `places` names it.
    """

    keys: tuple[str, ...]  # of artists, in no order that matters
    names: tuple[str, ...]
    named_at: np.ndarray  # (artists,) int64 the place of the listener who named each first
    indptr: np.ndarray  # (n + 1,) int64
    artists: np.ndarray  # (plays,) int32
    plays: np.ndarray  # (plays,) float64
    places: np.ndarray  # (n,) int64, rising
    ids: tuple[str, ...]
    origins: tuple[str, ...]
    titles: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Profile: ...
    @overload
    def __getitem__(self, at: slice) -> "Packed": ...
    def __getitem__(self, at: int | slice) -> "Profile | Packed":
        if isinstance(at, slice):
            return self.take(np.arange(len(self))[at])
        at = range(len(self))[at]
        span = slice(self.indptr[at], self.indptr[at + 1])
        rows, plays = self.artists[span].tolist(), self.plays[span].tolist()
        heard = {
            self.keys[row]: Artist(self.names[row], count)
            for row, count in zip(rows, plays, strict=True)
        }
        lists = tuple(Playlist(title) for title in self.titles[at])
        return Profile(self.ids[at], heard, playlists=lists, origin=self.origins[at])

    def __iter__(self) -> Iterator[Profile]:
        return (self[at] for at in range(len(self)))

    @property
    def sizes(self) -> np.ndarray:
        """(n,) how many artists each has."""
        return np.asarray(np.diff(self.indptr))

    def take(self, rows: np.ndarray) -> "Packed":
        """These listeners, in this order."""
        sizes = self.sizes[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        from_ = np.repeat(self.indptr[rows] - indptr[:-1], sizes) + np.arange(indptr[-1])
        return replace(
            self,
            indptr=indptr,
            artists=self.artists[from_],
            plays=self.plays[from_],
            places=self.places[rows],
            ids=tuple(self.ids[row] for row in rows),
            origins=tuple(self.origins[row] for row in rows),
            titles=tuple(self.titles[row] for row in rows),
        )


def pack(blocks: Iterable[tuple[int, Sequence[Profile]]]) -> Packed:
    """Blocks of profiles with the place of each block's first, in rising order."""
    row_of: dict[str, int] = {}
    names: list[str] = []
    named_at, indptr, places = array("q"), array("q", [0]), array("q")
    artists, plays = array("i"), array("d")
    ids: list[str] = []
    origins: dict[str, str] = {}  # one text for all who have the same
    told: list[str] = []
    titles: list[tuple[str, ...]] = []
    for first, profiles in blocks:
        for place, profile in enumerate(profiles, first):
            for key, artist in profile.artists.items():
                row = row_of.setdefault(key, len(names))
                if row == len(names):
                    names.append(artist.name)
                    named_at.append(place)
                artists.append(row)
                plays.append(artist.plays)
            indptr.append(len(artists))
            places.append(place)
            ids.append(profile.id)
            told.append(origins.setdefault(profile.origin, profile.origin))
            titles.append(tuple(one.name for one in profile.playlists))
    return Packed(
        tuple(row_of),
        tuple(names),
        _numbers(named_at),
        _numbers(indptr),
        _numbers(artists),
        _numbers(plays),
        _numbers(places),
        tuple(ids),
        tuple(told),
        tuple(titles),
    )


def join(parts: Sequence[Packed]) -> Packed:
    """What one process would have packed of all that these have, in the order of places."""
    if len(parts) == 1:
        return parts[0]
    row_of: dict[str, int] = {}
    names: list[str] = []
    first: list[int] = []
    moved = []
    for part in parts:
        rows = np.empty(len(part.keys), np.int32)
        for at, (key, name) in enumerate(zip(part.keys, part.names, strict=True)):
            row = row_of.setdefault(key, len(names))
            place = int(part.named_at[at])
            if row == len(names):
                names.append(name)
                first.append(place)
            elif place < first[row]:
                names[row], first[row] = name, place
            rows[at] = row
        moved.append(rows[part.artists])
    starts = np.cumsum([0, *(part.indptr[-1] for part in parts)])
    ends = [part.indptr[1:] + start for part, start in zip(parts, starts, strict=False)]
    whole = Packed(
        tuple(row_of),
        tuple(names),
        np.array(first, np.int64),
        np.concatenate([[0], *ends]).astype(np.int64),
        np.concatenate(moved),
        np.concatenate([part.plays for part in parts]),
        np.concatenate([part.places for part in parts]),
        tuple(id for part in parts for id in part.ids),
        tuple(origin for part in parts for origin in part.origins),
        tuple(each for part in parts for each in part.titles),
    )
    order = np.argsort(whole.places, kind="stable")
    return whole if (order[1:] > order[:-1]).all() else whole.take(order)


def with_at_least(profiles: Sequence[Profile], fewest: int) -> Sequence[Profile]:
    """Those with so many artists; packed ones stay packed."""
    if isinstance(profiles, Packed):
        enough = profiles.sizes >= fewest
        return profiles if enough.all() else profiles.take(np.flatnonzero(enough))
    return tuple(p for p in profiles if len(p.artists) >= fewest)


def _numbers(grown: "array[Any]") -> np.ndarray:
    return np.frombuffer(grown, np.dtype(grown.typecode)) if grown else np.zeros(0, grown.typecode)
