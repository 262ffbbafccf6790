"""A listener's music from Spotify's Web API, in at most 25 calls.

What an app may read depends on the access that Spotify has granted it, and has changed often: every
field may be missing, and every call but the first may be refused without losing the others.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any, Literal

from twotower.core.domain import Play
from twotower.core.errors import (
    LoginExpired,
    NoMusic,
    NotAllowed,
    RateLimited,
    TwoTowerError,
    Unreachable,
)
from twotower.core.jobs import Progress
from twotower.core.names import artist_key
from twotower.sources.spotify.api import SpotifyClient, account_id
from twotower.sources.spotify.rows import (
    ID,
    PAGE,
    Row,
    audio_of,
    duration_of,
    genres_of,
    has_more,
    inside,
    list_of,
    name_of,
    released_of,
    rows_of,
    text_of,
)
from twotower.sources.values import clean, song_title

RANGES = {"long_term": "a year", "medium_term": "half a year", "short_term": "four weeks"}
SAVED_PAGES, PLAYLIST_PAGES = 4, 10
EXPECTED_CALLS = 24  # for the progress
MOST_FEATURES = 100  # tracks in one call for audio features
# Spotify has ranks of top artists and tracks, but no counts: rank 1 counts as this many plays.
TOP_ARTIST, TOP_TRACK = 40, 10
NOTHING = (
    "Spotify has no music in this account, or doesn't let this app read it: upload your data "
    "export instead, or pick artists"
)

PlayKind = Literal["played", "saved", "listed"]


@dataclass(frozen=True, slots=True)
class ReadingStep:
    """Result of one kind of call."""

    name: str
    rows: int  # of music
    calls: int
    left_out: Mapping[str, int]  # reason -> rows
    problem: str = ""  # why there are no rows, or not all


@dataclass(frozen=True, slots=True)
class SpotifyReading:
    """Everything read of one person; it stays in memory, in this person's session."""

    account: str  # Spotify's id of the person; "" if unknown
    name: str
    plays: tuple[Play, ...]
    links: Mapping[str, str]  # artist key -> the artist's page at Spotify
    steps: tuple[ReadingStep, ...]
    calls: int
    stopped: str = ""  # why the reading stopped early; "" if it didn't


def read_spotify(web: SpotifyClient, progress: Progress, *, no_audio: Event) -> SpotifyReading:
    """Read a person's top artists and tracks, recent plays, saved tracks and playlists.

    A refusal ends a step; a limit or fault ends the reading. What was read so far is returned, and
    an error is only raised if that is nothing. `no_audio` is set once Spotify has refused audio
    features, which are then no longer requested.
    """
    reader = _SpotifyReader(web, progress, no_audio)
    reader.read()
    return SpotifyReading(
        account=reader.account,
        name=reader.name,
        plays=tuple(reader.plays),
        links=reader.links,
        steps=tuple(reader.steps),
        calls=web.calls,
        stopped=str(reader.end or ""),
    )


@dataclass
class _SpotifyReader:
    web: SpotifyClient
    progress: Progress
    no_audio: Event
    account: str = ""
    user_id: str = ""  # the id that playlists have of their owner
    name: str = ""
    plays: list[Play] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    steps: list[ReadingStep] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # of the current step
    plays_of_track: dict[str, list[int]] = field(default_factory=dict)  # track id -> in `plays`
    end: TwoTowerError | None = None  # what ended the reading early

    def read(self) -> None:
        self.read_account(self.get("who you are", "me"))
        steps: list[tuple[str, Callable[[str], None]]] = [
            *(
                (f"top artists of {words}", lambda name, r=key: self.read_top_artists(name, r))
                for key, words in RANGES.items()
            ),
            *(
                (f"top tracks of {words}", lambda name, r=key: self.read_top_tracks(name, r))
                for key, words in RANGES.items()
            ),
            ("recently played", self.read_recent),
            ("saved tracks", self.read_saved),
            ("your playlists", self.read_playlists),
            ("audio attributes", self.read_audio),
        ]
        for name, read in steps:
            if self.end is None:
                self.run_step(name, read)
        if not self.plays:
            raise self.end or NoMusic(NOTHING)

    def run_step(self, name: str, read: Callable[[str], None]) -> None:
        """Run one step and record its result; an error ends it, or the whole reading."""
        plays_before, calls_before, problem = len(self.plays), self.web.calls, ""
        self.left_out = Counter()
        try:
            read(name)
        except NotAllowed:
            problem = "Spotify doesn't let this app read them"
        except (LoginExpired, RateLimited, Unreachable) as end:
            self.end = end
            problem = "partly read" if len(self.plays) > plays_before else "not read"
        rows, calls = len(self.plays) - plays_before, self.web.calls - calls_before
        if calls or problem:
            self.steps.append(ReadingStep(name, rows, calls, dict(self.left_out), problem))

    def get(self, name: str, path: str, **params: Any) -> Row:
        """Report progress and send a request; `name` is what is being read."""
        self.progress(min(self.web.calls / EXPECTED_CALLS, 1.0), name)
        return self.web.get(path, **params)

    # Steps

    def read_account(self, answer: Row) -> None:
        self.user_id = text_of(answer.get("id"))
        self.account = account_id(answer)
        self.name = clean(answer.get("display_name"))

    def read_top_artists(self, name: str, time_range: str) -> None:
        answer = self.get(name, "me/top/artists", time_range=time_range, limit=PAGE)
        for rank, row in enumerate(rows_of(answer), 1):
            artist = name_of(row)
            if not artist:
                self.left_out["empty entries"] += 1
                continue
            self.add_link(row)
            count = _plays_of_rank(TOP_ARTIST, rank)
            self.plays.append(Play(artist, None, count=count, genres=genres_of(row)))

    def read_top_tracks(self, name: str, time_range: str) -> None:
        answer = self.get(name, "me/top/tracks", time_range=time_range, limit=PAGE)
        for rank, row in enumerate(rows_of(answer), 1):
            self.add_track(row, "played", count=_plays_of_rank(TOP_TRACK, rank))

    def read_recent(self, name: str) -> None:
        for row in rows_of(self.get(name, "me/player/recently-played", limit=PAGE)):
            self.add_track(inside(row, "track", "item"), "played")

    def read_saved(self, name: str) -> None:
        for page in range(SAVED_PAGES):
            answer = self.get(name, "me/tracks", limit=PAGE, offset=page * PAGE)
            for row in rows_of(answer):
                self.add_track(inside(row, "track", "item"), "saved")
            if not has_more(answer):
                break

    def read_playlists(self, name: str) -> None:
        """Read own and shared playlists: the first page of each, then the next pages in turn."""
        pages: list[tuple[str, str, int]] = []  # (id, title, offset), to be read
        for row in rows_of(self.get(name, "me/playlists", limit=PAGE)):
            if not isinstance(row, Mapping):
                self.left_out["empty entries"] += 1
            elif not self.may_read(row):
                self.left_out["playlists of others"] += 1
            else:
                pages.append((row["id"], clean(row.get("name")) or "Playlist", 0))
        pages_read = 0
        while pages and pages_read < PLAYLIST_PAGES:
            id, title, offset = pages.pop(0)
            pages_read += 1
            try:
                if self.read_playlist_page(id, title, offset):
                    pages.append((id, title, offset + PAGE))
            except NotAllowed:
                self.left_out["playlists that Spotify doesn't let us read"] += 1
        unread = sum(offset == 0 for _, _, offset in pages)
        if unread:
            self.left_out["further playlists"] += unread

    def read_playlist_page(self, id: str, title: str, offset: int) -> bool:
        """Read one page of a playlist. Returns True if there is a next one."""
        name = f"the playlist “{title}”"
        answer = self.get(name, f"playlists/{id}/items", limit=PAGE, offset=offset)
        for row in rows_of(answer):
            self.add_track(inside(row, "item", "track"), "listed", playlist=title)
        return has_more(answer)

    def may_read(self, playlist: Row) -> bool:
        """Return True if a playlist is one's own or shared; others' tracks are refused."""
        owner = playlist.get("owner")
        is_own = (
            isinstance(owner, Mapping) and self.user_id != "" and owner.get("id") == self.user_id
        )
        has_id = ID.fullmatch(text_of(playlist.get("id"))) is not None
        return has_id and (is_own or playlist.get("collaborative") is True)

    def read_audio(self, name: str) -> None:
        """Read audio features of the first tracks; only few apps may."""
        ids = list(self.plays_of_track)[:MOST_FEATURES]
        if self.no_audio.is_set() or not ids:
            return
        try:
            answer = self.get(name, "audio-features", ids=",".join(ids))
        except NotAllowed:
            self.no_audio.set()
            raise
        for row in list_of(answer.get("audio_features")):
            audio = audio_of(row)
            for at in self.plays_of_track.get(text_of(row.get("id")), ()) if audio else ():
                self.plays[at] = replace(self.plays[at], audio=audio)

    # Rows

    def add_track(
        self, row: object, kind: PlayKind, *, count: int = 1, playlist: str | None = None
    ) -> None:
        """Add a track as a play, or count why it is left out."""
        if not isinstance(row, Mapping):
            self.left_out["empty entries"] += 1
            return
        if row.get("type") == "episode" or text_of(row.get("uri")).startswith("spotify:episode:"):
            self.left_out["podcasts"] += 1
            return
        artists = [artist for artist in list_of(row.get("artists")) if name_of(artist)]
        names = list(dict.fromkeys(map(name_of, artists)))
        if not names:
            self.left_out["no artist"] += 1
            return
        for artist in artists:
            self.add_link(artist)
        id = text_of(row.get("id"))
        if ID.fullmatch(id):
            self.plays_of_track.setdefault(id, []).append(len(self.plays))
        album = row.get("album")
        release_date = album.get("release_date") if isinstance(album, Mapping) else None
        self.plays.append(
            Play(
                names[0],
                song_title(row.get("name")) or None,
                kind=kind,
                count=count,
                playlist=playlist,
                duration_s=duration_of(row.get("duration_ms")),
                released=released_of(release_date),
                guests=tuple(names[1:]),
            )
        )

    def add_link(self, artist: Row) -> None:
        id = text_of(artist.get("id"))
        if ID.fullmatch(id):
            key = artist_key(name_of(artist))
            self.links.setdefault(key, f"https://open.spotify.com/artist/{id}")


def _plays_of_rank(plays_of_first: int, rank: int) -> int:
    """Return the plays that a rank counts as: few artists are played much, many a little."""
    return max(1, round(plays_of_first / math.sqrt(rank)))
