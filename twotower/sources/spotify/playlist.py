"""Saves a private playlist in a person's Spotify account: tracks of given artists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twotower.core.errors import NoMusic, TwoTowerError
from twotower.core.jobs import Progress
from twotower.core.names import artist_key
from twotower.sources.spotify.api import SpotifyClient
from twotower.sources.spotify.rows import ID, Row, list_of, name_of, rows_of, text_of

MOST_ARTISTS = 20  # one call each, and two calls to make the playlist
TRACKS_EACH = 2
SEARCH_RESULTS = 10  # tracks in one answer, the most that Spotify allows


@dataclass(frozen=True, slots=True)
class SavedPlaylist:
    """A playlist that was made."""

    link: str  # its page at Spotify
    tracks: int
    artists: tuple[str, ...]  # artists with tracks in it
    missed: tuple[str, ...]  # artists without a track at Spotify
    problem: str = ""  # why it is empty; "" if it isn't


def save_playlist(
    web: SpotifyClient,
    progress: Progress,
    *,
    title: str,
    description: str,
    artists: Sequence[str],
) -> SavedPlaylist:
    """Make a private playlist of TRACKS_EACH tracks each of the first MOST_ARTISTS `artists`.

    Raises NoMusic if Spotify has no track of any of them. After this and any other error, no
    playlist was made.
    """
    wanted = artists[:MOST_ARTISTS]
    uris: dict[str, None] = {}  # a set that keeps its order
    included: list[str] = []
    missed: list[str] = []
    for number, name in enumerate(wanted):
        progress(number / (len(wanted) + 1), f"tracks of {name}")
        tracks = _search_tracks(web, name)
        uris.update(dict.fromkeys(tracks))
        (included if tracks else missed).append(name)
    if not uris:
        raise NoMusic("Spotify has no track of these artists, so no playlist was made")
    progress(len(wanted) / (len(wanted) + 1), "the playlist")
    answer = web.post("me/playlists", {"name": title, "description": description, "public": False})
    id = text_of(answer.get("id"))
    if not ID.fullmatch(id):
        raise NoMusic("Spotify doesn't say which playlist it made: look for it in your library")
    problem = ""
    try:
        web.post(f"playlists/{id}/items", {"uris": list(uris)})
    except TwoTowerError as error:
        problem = str(error)
    link = f"https://open.spotify.com/playlist/{id}"
    tracks_added = 0 if problem else len(uris)
    return SavedPlaylist(link, tracks_added, tuple(included), tuple(missed), problem)


def _search_tracks(web: SpotifyClient, name: str) -> list[str]:
    """Return the URIs of the first tracks by exactly this artist."""
    unquoted = name.replace('"', " ")
    answer = web.get("search", q=f'artist:"{unquoted}"', type="track", limit=SEARCH_RESULTS)
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
