"""A listener's music as Spotify's Web API tells it, in at most 25 questions.

What an app may ask depends on how Spotify has let it in, and has changed often: every field may be
missing, and every question but the first may be refused without the others being lost.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any, Literal, Protocol

from twotower.core.domain import Play
from twotower.core.errors import (
    LoginExpired,
    NoMusic,
    NotAllowed,
    RateLimited,
    TwoTowerError,
    Unreachable,
)
from twotower.core.names import artist_key
from twotower.sources.spotify.api import account_id
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
from twotower.sources.values import clean

RANGES = {"long_term": "a year", "medium_term": "half a year", "short_term": "four weeks"}
SAVED_PAGES, LIST_PAGES = 4, 10
EXPECTED_CALLS = 24
MOST_FEATURES = 100  # tracks in one question for audio features
# Spotify gives the order of what is most played, and no counts: the first stands for this many.
TOP_ARTIST, TOP_TRACK = 40, 10

NOTHING = (
    "Spotify tells of no music in this account, or doesn't give it to this app: bring your data "
    "export instead, or pick artists"
)


class Asks(Protocol):
    """What `spotify.Web` is to this file."""

    calls: int

    @property
    def left(self) -> int: ...
    def get(self, path: str, **params: Any) -> Row: ...


@dataclass(frozen=True, slots=True)
class Step:
    """What one kind of question gave."""

    name: str
    rows: int  # of music
    calls: int
    left_out: Mapping[str, int]  # reason -> rows
    problem: str = ""  # why it gave nothing, or not all


@dataclass(frozen=True, slots=True)
class SpotifyReading:
    """All that was read of one person; it stays in memory, and in this person's session."""

    account: str  # Spotify's id of the person; "" where it isn't told
    name: str
    plays: tuple[Play, ...]
    links: Mapping[str, str]  # artist key -> the artist's page at Spotify
    steps: tuple[Step, ...]
    calls: int
    stopped: str = ""  # why it ended before its end; "" where it didn't


def read_spotify(
    web: Asks, tell: Callable[[float, str], None], *, no_audio: Event
) -> SpotifyReading:
    """Read what Spotify tells of the person; `tell` hears how far it is (0..1), and of what.

    A refusal, a limit or a fault ends a step or the reading, and what is there is kept; an error
    only where nothing is. `no_audio` is set once Spotify has refused audio features, and they
    are not asked for again.
    """
    reader = _Reader(web, tell, no_audio)
    reader.read()
    return SpotifyReading(
        account=reader.account,
        name=reader.name,
        plays=tuple(reader.plays),
        links=reader.links,
        steps=tuple(reader.steps),
        calls=web.calls,
        stopped=reader.stopped,
    )


@dataclass
class _Reader:
    web: Asks
    tell: Callable[[float, str], None]
    no_audio: Event
    account: str = ""
    person: str = ""  # the id that playlists name their owner by
    name: str = ""
    stopped: str = ""
    plays: list[Play] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # of the step under way
    tracks: dict[str, list[int]] = field(default_factory=dict)  # track id -> its plays
    end: TwoTowerError | None = None

    def read(self) -> None:
        self.ask("who you are", "me", self.who)
        steps: list[tuple[str, Callable[[str], None]]] = [
            *(
                (f"top artists of {words}", lambda name, r=key: self.top_artists(name, r))
                for key, words in RANGES.items()
            ),
            *(
                (f"top tracks of {words}", lambda name, r=key: self.top_tracks(name, r))
                for key, words in RANGES.items()
            ),
            ("recently played", self.recent),
            ("saved tracks", self.saved),
            ("your playlists", self.playlists),
            ("audio attributes", self.audio),
        ]
        for name, read in steps:
            if self.end is None:
                self.step(name, read)
        if not self.plays:
            raise self.end or NoMusic(NOTHING)

    def step(self, name: str, read: Callable[[str], None]) -> None:
        """One kind of question; what it meets ends it, or the whole reading."""
        plays, calls, problem = len(self.plays), self.web.calls, ""
        self.left_out = Counter()
        try:
            read(name)
        except NotAllowed:
            problem = "Spotify doesn't give these to this app"
        except (LoginExpired, RateLimited, Unreachable) as end:
            self.end, self.stopped = end, str(end)
            problem = "not all was read" if len(self.plays) > plays else "not read"
        rows, asked = len(self.plays) - plays, self.web.calls - calls
        if asked or problem:
            self.steps.append(Step(name, rows, asked, dict(self.left_out), problem))

    def ask(self, name: str, path: str, take: Callable[[Row], None], **params: Any) -> None:
        self.tell(min(self.web.calls / EXPECTED_CALLS, 1.0), name)
        take(self.web.get(path, **params))

    # Each step

    def who(self, answer: Row) -> None:
        self.person = text_of(answer.get("id"))
        self.account = account_id(answer)
        self.name = clean(answer.get("display_name"))

    def top_artists(self, name: str, time_range: str) -> None:
        def take(answer: Row) -> None:
            for rank, row in enumerate(rows_of(answer), 1):
                artist = name_of(row)
                if not artist:
                    self.left_out["empty entries"] += 1
                    continue
                self.link(row)
                count = _stands_for(TOP_ARTIST, rank)
                self.plays.append(Play(artist, None, count=count, genres=genres_of(row)))

        self.ask(name, "me/top/artists", take, time_range=time_range, limit=PAGE)

    def top_tracks(self, name: str, time_range: str) -> None:
        def take(answer: Row) -> None:
            for rank, row in enumerate(rows_of(answer), 1):
                self.add(row, "played", count=_stands_for(TOP_TRACK, rank))

        self.ask(name, "me/top/tracks", take, time_range=time_range, limit=PAGE)

    def recent(self, name: str) -> None:
        def take(answer: Row) -> None:
            for row in rows_of(answer):
                self.add(inside(row, "track", "item"), "played")

        self.ask(name, "me/player/recently-played", take, limit=PAGE)

    def saved(self, name: str) -> None:
        for number in range(SAVED_PAGES):
            more: list[bool] = []

            def take(answer: Row, more: list[bool] = more) -> None:
                for row in rows_of(answer):
                    self.add(inside(row, "track", "item"), "saved")
                more.append(has_more(answer))

            self.ask(name, "me/tracks", take, limit=PAGE, offset=number * PAGE)
            if not more[0]:
                break

    def playlists(self, name: str) -> None:
        """Of one's own and shared ones, the first page each, then further pages in turn."""
        pages: list[tuple[str, str, int]] = []  # id, title, offset

        def take(answer: Row) -> None:
            for row in rows_of(answer):
                if not isinstance(row, Mapping):
                    self.left_out["empty entries"] += 1
                elif not self.may_open(row):
                    self.left_out["playlists of others"] += 1
                else:
                    pages.append((row["id"], clean(row.get("name")) or "Playlist", 0))

        self.ask(name, "me/playlists", take, limit=PAGE)
        asked = 0
        while pages and asked < LIST_PAGES:
            id, title, offset = pages.pop(0)
            asked += 1
            try:
                if self.one_page(id, title, offset):
                    pages.append((id, title, offset + PAGE))
            except NotAllowed:
                self.left_out["playlists that Spotify keeps closed"] += 1
        unread = sum(offset == 0 for _, _, offset in pages)
        if unread:
            self.left_out["further playlists"] += unread

    def one_page(self, id: str, title: str, offset: int) -> bool:
        """Read a page of a playlist; whether there is another."""
        more: list[bool] = []

        def take(answer: Row) -> None:
            for row in rows_of(answer):
                self.add(inside(row, "item", "track"), "listed", playlist=title)
            more.append(has_more(answer))

        path = f"playlists/{id}/items"
        self.ask(f"the playlist “{title}”", path, take, limit=PAGE, offset=offset)
        return more[0]

    def may_open(self, row: Row) -> bool:
        """Whether a playlist is one's own or shared: of others' Spotify tells no tracks."""
        owner = row.get("owner")
        own = isinstance(owner, Mapping) and self.person != "" and owner.get("id") == self.person
        known = isinstance(row.get("id"), str) and ID.fullmatch(row["id"]) is not None
        return known and (own or row.get("collaborative") is True)

    def audio(self, name: str) -> None:
        """Audio features of the top tracks, if this app is one of the few that may have them."""
        ids = list(self.tracks)[:MOST_FEATURES]
        if self.no_audio.is_set() or not ids:
            return

        def take(answer: Row) -> None:
            found = answer.get("audio_features")
            for row in found if isinstance(found, list) else ():
                audio = audio_of(row)
                for at in self.tracks.get(text_of(row.get("id")), ()) if audio else ():
                    self.plays[at] = replace(self.plays[at], audio=audio)

        try:
            self.ask(name, "audio-features", take, ids=",".join(ids))
        except NotAllowed:
            self.no_audio.set()
            raise

    # Rows

    def add(
        self,
        row: object,
        kind: Literal["played", "saved", "listed"],
        *,
        count: int = 1,
        playlist: str | None = None,
    ) -> None:
        """Add a track as a play, or count why it is none."""
        if not isinstance(row, Mapping):
            self.left_out["empty entries"] += 1
            return
        if row.get("type") == "episode" or text_of(row.get("uri")).startswith("spotify:episode:"):
            self.left_out["podcasts"] += 1
            return
        artists = [one for one in list_of(row.get("artists")) if name_of(one)]
        names = list(dict.fromkeys(map(name_of, artists)))
        if not names:
            self.left_out["no artist"] += 1
            return
        for one in artists:
            self.link(one)
        album = row.get("album")
        id = text_of(row.get("id"))
        if ID.fullmatch(id):
            self.tracks.setdefault(id, []).append(len(self.plays))
        self.plays.append(
            Play(
                names[0],
                clean(row.get("name")) or None,
                kind=kind,
                count=count,
                playlist=playlist,
                duration_s=duration_of(row.get("duration_ms")),
                released=released_of(album.get("release_date"))
                if isinstance(album, Mapping)
                else None,
                guests=tuple(names[1:]),
            )
        )

    def link(self, artist: Row) -> None:
        id = text_of(artist.get("id"))
        if ID.fullmatch(id):
            key = artist_key(name_of(artist))
            self.links.setdefault(key, f"https://open.spotify.com/artist/{id}")


def _stands_for(first: int, rank: int) -> int:
    """Plays that a place in an order stands for: few artists are played much, many a little."""
    return max(1, round(first / math.sqrt(rank)))
