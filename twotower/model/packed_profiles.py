"""Compact form of many profiles: arrays that processes can share.

A `Profile` takes about 240 bytes of memory per artist, a packed one 12.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from twotower.core.domain import Artist, Playlist, Profile


@dataclass(frozen=True)
class PackedProfiles(Sequence[Profile]):
    """Profiles with what training reads: artists, plays, origin, id and playlist titles.

    A position is the number of a profile's line among all files. An artist has the name that the
    listener with the lowest position gives it.
    """

    keys: tuple[str, ...]  # of artists, in no particular order
    names: tuple[str, ...]
    named_at: np.ndarray  # (artists,) int64 position of the first listener with the artist
    indptr: np.ndarray  # (n + 1,) int64 start of each listener in `artists` and `plays`
    artists: np.ndarray  # (plays,) int32 rows of `keys`
    plays: np.ndarray  # (plays,) float64
    positions: np.ndarray  # (n,) int64, ascending
    ids: tuple[str, ...]
    origins: tuple[str, ...]
    titles: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Profile: ...
    @overload
    def __getitem__(self, at: slice) -> "PackedProfiles": ...
    def __getitem__(self, at: int | slice) -> "Profile | PackedProfiles":
        if isinstance(at, slice):
            return self.select(np.arange(len(self))[at])
        at = range(len(self))[at]
        span = slice(self.indptr[at], self.indptr[at + 1])
        rows, plays = self.artists[span].tolist(), self.plays[span].tolist()
        artists = {
            self.keys[row]: Artist(self.names[row], count)
            for row, count in zip(rows, plays, strict=True)
        }
        lists = tuple(Playlist(title) for title in self.titles[at])
        return Profile(self.ids[at], artists, playlists=lists, origin=self.origins[at])

    def __iter__(self) -> Iterator[Profile]:
        return (self[at] for at in range(len(self)))

    @property
    def sizes(self) -> np.ndarray:
        """Number of artists of each profile, (n,)."""
        return np.asarray(np.diff(self.indptr))

    def select(self, rows: np.ndarray) -> "PackedProfiles":
        """Return these profiles, in this order."""
        sizes = self.sizes[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        from_ = np.repeat(self.indptr[rows] - indptr[:-1], sizes) + np.arange(indptr[-1])
        return replace(
            self,
            indptr=indptr,
            artists=self.artists[from_],
            plays=self.plays[from_],
            positions=self.positions[rows],
            ids=tuple(self.ids[row] for row in rows),
            origins=tuple(self.origins[row] for row in rows),
            titles=tuple(self.titles[row] for row in rows),
        )


def pack(blocks: Iterable[tuple[int, Sequence[Profile]]]) -> PackedProfiles:
    """Pack blocks of profiles; each comes with the position of its first, in ascending order."""
    row_of: dict[str, int] = {}
    names: list[str] = []
    named_at, indptr, positions = array("q"), array("q", [0]), array("q")
    artists, plays = array("i"), array("d")
    ids: list[str] = []
    origins: list[str] = []
    interned: dict[str, str] = {}  # one string object for each origin
    titles: list[tuple[str, ...]] = []
    for first, profiles in blocks:
        for position, profile in enumerate(profiles, first):
            for key, artist in profile.artists.items():
                row = row_of.setdefault(key, len(names))
                if row == len(names):
                    names.append(artist.name)
                    named_at.append(position)
                artists.append(row)
                plays.append(artist.plays)
            indptr.append(len(artists))
            positions.append(position)
            ids.append(profile.id)
            origins.append(interned.setdefault(profile.origin, profile.origin))
            titles.append(tuple(one.name for one in profile.playlists))
    return PackedProfiles(
        tuple(row_of),
        tuple(names),
        _numbers(named_at),
        _numbers(indptr),
        _numbers(artists),
        _numbers(plays),
        _numbers(positions),
        tuple(ids),
        tuple(origins),
        tuple(titles),
    )


def join(parts: Sequence[PackedProfiles]) -> PackedProfiles:
    """Return the profiles of all parts in order of position, as if packed at once."""
    if len(parts) == 1:
        return parts[0]
    row_of: dict[str, int] = {}
    names: list[str] = []
    named_at: list[int] = []
    artists = []
    for part in parts:
        rows = np.empty(len(part.keys), np.int32)
        for at, (key, name) in enumerate(zip(part.keys, part.names, strict=True)):
            row = row_of.setdefault(key, len(names))
            position = int(part.named_at[at])
            if row == len(names):
                names.append(name)
                named_at.append(position)
            elif position < named_at[row]:
                names[row], named_at[row] = name, position
            rows[at] = row
        artists.append(rows[part.artists])
    starts = np.cumsum([0, *(part.indptr[-1] for part in parts)])
    ends = [part.indptr[1:] + start for part, start in zip(parts, starts, strict=False)]
    whole = PackedProfiles(
        tuple(row_of),
        tuple(names),
        np.array(named_at, np.int64),
        np.concatenate([[0], *ends]).astype(np.int64),
        np.concatenate(artists),
        np.concatenate([part.plays for part in parts]),
        np.concatenate([part.positions for part in parts]),
        tuple(id for part in parts for id in part.ids),
        tuple(origin for part in parts for origin in part.origins),
        tuple(each for part in parts for each in part.titles),
    )
    order = np.argsort(whole.positions, kind="stable")
    return whole if (order[1:] > order[:-1]).all() else whole.select(order)


def with_min_artists(profiles: Sequence[Profile], fewest: int) -> Sequence[Profile]:
    """Return the profiles with `fewest` artists or more; packed profiles stay packed."""
    if isinstance(profiles, PackedProfiles):
        enough = profiles.sizes >= fewest
        return profiles if enough.all() else profiles.select(np.flatnonzero(enough))
    return tuple(p for p in profiles if len(p.artists) >= fewest)


def _numbers(values: "array[Any]") -> np.ndarray:
    """View an array as numpy, without a copy."""
    if not values:
        return np.zeros(0, values.typecode)
    return np.frombuffer(values, np.dtype(values.typecode))
