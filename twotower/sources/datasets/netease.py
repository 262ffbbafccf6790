"""NetEase Cloud Music: public playlists of May 2024, half of them Chinese."""

from collections.abc import Iterator
from pathlib import Path

from twotower.core.domain import Profile
from twotower.core.errors import UnreadableExport
from twotower.sources.datasets.lists import list_profile
from twotower.sources.datasets.tables import text_lines

FILE = "songlist2songs.txt"
TV_SHOW = "综艺"  # tag of lists with the songs of a TV show


def read_listeners(folder: Path) -> Iterator[Profile]:
    """Yield one listener per list; plays are songs, and each artist of a song has it.

    The origin is "netease", or "netease-tv" for the songs of TV shows: those lists are nobody's
    taste.
    """
    for where, line in text_lines("netease", folder, FILE):
        # title##tags##id##number, then a tab and a song, and so on; a title may hold "##"
        header, *songs = line.split("\t")
        parts = header.rsplit("##", 3)
        if len(parts) < 4:
            raise UnreadableExport(_PROBLEM.format("header", header), where=where)
        _, tags, list_id, _ = parts
        unique = {song.partition("::")[0]: song for song in songs if song}  # by song id
        credits = [
            (artist, 1.0) for song in unique.values() for artist in _song_artists(song, where)
        ]
        origin = "netease-tv" if TV_SHOW in tags.split() else "netease"
        if profile := list_profile(list_id, origin, credits):
            yield profile


_PROBLEM = "{} {!r} has too few fields; download the file again (docs/data.md says where)"


def _song_artists(song: str, where: str) -> list[str]:
    """Return the artists of `id::title::artist|artist::popularity`; a title may hold "::"."""
    parts = song.rsplit("::", 2)
    if len(parts) < 3:
        raise UnreadableExport(_PROBLEM.format("song", song), where=where)
    return parts[1].split("|")
