"""A private playlist in a person's Spotify account: tracks of artists that they asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twotower.core.errors import NoMusic, TwoTowerError
from twotower.core.names import artist_key
from twotower.sources.spotify.rows import ID, Row, list_of, name_of, rows_of, text_of

MOST_ARTISTS = 20  # with one question each, and two to make the playlist
TRACKS_EACH = 2
FOUND = 10  # tracks in an answer, the most that Spotify gives


class Asks(Protocol):
    """What `spotify.Web` is to this file."""

    def get(self, path: str, **params: Any) -> Mapping[str, Any]: ...
    def post(self, path: str, body: dict[str, Any]) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Saved:
    """A playlist that was made."""

    link: str  # its page at Spotify
    tracks: int
    artists: tuple[str, ...]  # whose tracks are in it
    missed: tuple[str, ...]  # artists of whom Spotify found no track
    problem: str = ""  # why it is still empty; "" where it isn't


def save_playlist(
    web: Asks,
    tell: Callable[[float, str], None],
    *,
    title: str,
    description: str,
    artists: Sequence[str],
) -> Saved:
    """Make a private playlist of two tracks each of the first 20 `artists`.

    NoMusic where Spotify finds no track of any of them; then, and at any other error before it is
    made, there is no playlist.
    """
    wanted = artists[:MOST_ARTISTS]
    uris: dict[str, None] = {}
    found: list[str] = []
    missed: list[str] = []
    for number, name in enumerate(wanted):
        tell(number / (len(wanted) + 1), f"tracks of {name}")
        tracks = _tracks_of(web, name)
        uris.update(dict.fromkeys(tracks))
        (found if tracks else missed).append(name)
    if not uris:
        raise NoMusic("Spotify finds no track of these artists, so no playlist was made")
    tell(len(wanted) / (len(wanted) + 1), "the playlist")
    made = web.post("me/playlists", {"name": title, "description": description, "public": False})
    id = text_of(made.get("id"))
    if not ID.fullmatch(id):
        raise NoMusic("Spotify doesn't say which playlist it made: look for it in your library")
    problem = ""
    try:
        web.post(f"playlists/{id}/items", {"uris": list(uris)})
    except TwoTowerError as error:
        problem = str(error)
    link = f"https://open.spotify.com/playlist/{id}"
    return Saved(link, 0 if problem else len(uris), tuple(found), tuple(missed), problem)


def _tracks_of(web: Asks, name: str) -> list[str]:
    """URIs of the first tracks that are really by this artist."""
    plain = name.replace('"', " ")
    answer = web.get("search", q=f'artist:"{plain}"', type="track", limit=FOUND)
    tracks = answer.get("tracks")
    ids = [
        text_of(row.get("id"))
        for row in (rows_of(tracks) if isinstance(tracks, Mapping) else ())
        if isinstance(row, Mapping) and _is_by(row, artist_key(name))
    ]
    return [f"spotify:track:{id}" for id in dict.fromkeys(ids) if ID.fullmatch(id)][:TRACKS_EACH]


def _is_by(track: Row, key: str) -> bool:
    names = map(name_of, list_of(track.get("artists")))
    return any(name and artist_key(name) == key for name in names)
