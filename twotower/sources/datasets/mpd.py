"""Million Playlist Dataset, a subset: playlists as listeners."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Playlist, Profile
from twotower.core.errors import UnreadableExport
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.listener import ArtistPlays
from twotower.sources.datasets.tables import column_positions, csv_rows, number, parquet_rows

ARTISTS_FILE = "playlist_artists.csv"
TITLES_FILES = ("playlist-sample-ds1.csv", "playlist-sample-ds2.csv")
TRACKS_FILE = "tracks_575000-575999.snappy.parquet"


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per playlist; an artist's plays are its tracks in the playlist.

    The origin is "mpd", or "mpd-withheld" for playlists of which only popular tracks are known.
    """
    listeners: dict[tuple[str, str], ArtistPlays] = {}  # by (playlist id, origin)
    rows = csv_rows("mpd", folder, ARTISTS_FILE)
    header = next(rows)
    positions = column_positions(ARTISTS_FILE, header, ("pid", "part", "artist", "n_tracks"))
    for line, row in enumerate(rows, 2):
        playlist_id, part, name, tracks = (row[position] for position in positions)
        if number(tracks) is None:
            where = f"{ARTISTS_FILE} line {line}"
            raise UnreadableExport(
                f"n_tracks is {tracks!r}, not a number: download it again", where=where
            )
        if is_artist_name(name):
            origin = "mpd-withheld" if part == "withheld" else "mpd"
            artists = listeners.setdefault((playlist_id, origin), ArtistPlays())
            artists.add(artist_key(name), name, float(tracks))
    playlists = _titled_playlists(folder)
    for (playlist_id, origin), artists in listeners.items():
        known = () if origin == "mpd-withheld" else playlists.get(playlist_id, ())
        yield artists.profile(playlist_id, origin, playlists=known)


def _titled_playlists(folder: Path) -> dict[str, tuple[Playlist, ...]]:
    """Return playlist id -> the playlist with its title and tracks, where a file has them."""
    titles: dict[str, str] = {}
    tracks: dict[str, dict[tuple[str, str], None]] = {}
    for playlist_id, title, track, artist in _titled_rows(folder):
        titles.setdefault(playlist_id, title.strip())
        if track and is_artist_name(artist):
            tracks.setdefault(playlist_id, {})[track, artist] = None
    return {
        playlist_id: (Playlist(title, tuple(tracks.get(playlist_id, ()))),)
        for playlist_id, title in titles.items()
        if title
    }


def _titled_rows(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield (playlist id, title, track, artist) from all files that have titles."""
    for file in TITLES_FILES:
        rows = csv_rows("mpd", folder, file)
        wanted = ("pid", "name", "track_name", "artist_name")
        pid, title, track, artist = column_positions(file, next(rows), wanted)
        for row in rows:
            yield row[pid], row[title], row[track], row[artist]
    fields = ("playlist_id", "playlist_name", "track_name", "artist_name")
    for line in parquet_rows("mpd", folder, TRACKS_FILE, fields):
        playlist_id, title_, track_, artist_ = (str(line[field] or "") for field in fields)
        yield playlist_id, title_, track_, artist_
