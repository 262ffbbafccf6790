"""Spotify playlist archive: 249 public lists, 2018 to May 2021, with the day of each change."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from twotower.core.domain import Profile
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.lists import list_profile
from twotower.sources.datasets.tables import csv_columns

FILE = "playlist_tracks.csv"
MAX_ARTISTS = 250  # of a listener; some lists add thousands in half a year
MIN_NEW_SHARE, MIN_NEW = 0.4, 8  # artists of a half-year that the list's listeners lack so far

_Tracks = dict[str, dict[str, str]]  # artist key -> track -> artist name


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per list and half-year, of the songs added then.

    A list is one taste over years, so a half-year counts only if enough of its artists are new to
    the list. Ids are `list/2020-1`: everything before the last slash is the list. Plays are songs.
    """
    for name, half_years in _read_half_years(folder).items():
        earlier: set[str] = set()  # artists of the list's listeners so far
        for half_year, tracks in sorted(half_years.items()):
            if not _is_new(tracks, earlier):
                continue
            earlier.update(tracks)
            id = f"{name}/{half_year}"
            credits = [
                (artist, 1.0)
                for key in _most_frequent(tracks, id)
                for artist in tracks[key].values()
            ]
            if profile := list_profile(id, "archive", credits):
                yield profile


def _read_half_years(folder: Path) -> dict[str, dict[str, _Tracks]]:
    """Return list -> half-year ("2020-1") -> its artists and tracks."""
    lists: dict[str, dict[str, _Tracks]] = {}
    columns = ("playlist", "artist", "track", "added")
    for name, artist, track, added in csv_columns("archive", folder, FILE, columns):
        if is_artist_name(artist):
            half_year = f"{added[:4]}-{1 if added[5:7] <= '06' else 2}"
            tracks = lists.setdefault(name, {}).setdefault(half_year, {})
            tracks.setdefault(artist_key(artist), {}).setdefault(track, artist)
    return lists


def _is_new(artists: Collection[str], earlier: Collection[str]) -> bool:
    new = sum(key not in earlier for key in artists)
    return new >= MIN_NEW and new >= MIN_NEW_SHARE * len(artists)


def _most_frequent(tracks: Mapping[str, Mapping[str, str]], id: str) -> list[str]:
    """Return at most `MAX_ARTISTS` keys, those with most tracks first, equal ones at random.

    The random order is a hash of the listener's id and the key, so that it is always the same.
    """

    def order(key: str) -> tuple[int, str]:
        return -len(tracks[key]), hashlib.sha256(f"{id}:{key}".encode()).hexdigest()

    return sorted(tracks, key=order)[:MAX_ARTISTS]
