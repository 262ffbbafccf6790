"""What a user of Last.fm has heard, by name, with the key that an operator has for this server."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from twotower.core.errors import NoSuchUser, NotAllowed
from twotower.sources.files.text import clean
from twotower.sources.reading import Reading
from twotower.sources.services.history import (
    SPANS,
    Progress,
    Told,
    count_of,
    is_artist,
    rows_of,
    seconds_of,
)
from twotower.sources.services.http import AGAIN_AFTER_S, MOST_TRIES, WebClient

ORIGIN = "lastfm"
BETWEEN_S = 0.25  # between two calls
PAGE = 1000  # the most in one answer
LATEST_PAGE = 200  # the most of the latest plays in one answer
MOST_PAGES = 5  # of one question
_PERIODS = {"all": "overall", "year": "12month", "half": "6month"}
_NOT_FOUND, _PRIVATE, _TOO_FAST = (6, 7), (4, 17), 29
_BAD_KEY, _STUMBLED = (10, 26), (8, 11, 16)


def read_lastfm(
    user: str,
    web: WebClient,
    key: str,
    *,
    span: str = "all",
    progress: Progress | None = None,
) -> Reading:
    """Read a user's artists and top tracks over one of SPANS, and the latest plays for the clock.

    NoSuchUser, NotAllowed (the operator's key), NoMusic, RateLimited and Unreachable say what to
    do; what was read before one of the last two is kept where it is enough for a profile.
    """
    if span not in SPANS:
        raise ValueError(f"span is {span!r}; there are {', '.join(SPANS)}")
    reader = _Reader(user.strip(), web, key, span, progress or (lambda share, what: None))
    return reader.reading()


class _Reader:
    def __init__(self, user: str, web: WebClient, key: str, span: str, progress: Progress) -> None:
        self._user, self._web, self._key, self._tell = user, web, key, progress
        self._period = _PERIODS[span]
        self._told = Told()

    def reading(self) -> Reading:
        told = self._told
        told.attempt(
            "Some artists",
            lambda: self._pages("topartists", "artist", self._artist, 0.0, "Reading artists"),
        )
        if told.artists:
            told.attempt(
                "Top tracks",
                lambda: self._pages("toptracks", "track", self._track, 0.4, "Reading top tracks"),
            )
            told.attempt(
                "The latest plays",
                lambda: self._pages(
                    "recenttracks", "track", self._play, 0.7, "Reading the latest plays"
                ),
            )
        self._tell(1.0, "Read")
        return told.reading(f"Last.fm, {clean(self._user)}", ORIGIN)

    def _pages(
        self,
        question: str,
        noun: str,
        take: Callable[[Mapping[str, Any]], None],
        share: float,
        saying: str,
    ) -> None:
        latest = question == "recenttracks"
        for page in range(1, MOST_PAGES + 1):
            self._tell(share + 0.05 * page, saying)
            body = self._get(
                f"user.get{question}",
                limit=LATEST_PAGE if latest else PAGE,
                page=page,
                period=None if latest else self._period,
            )
            found = body.get(question)
            fields: Mapping[str, Any] = found if isinstance(found, dict) else {}
            rows = rows_of(fields.get(noun, []))
            for row in rows:
                take(row)
            about = fields.get("@attr")
            pages = count_of(about.get("totalPages")) if isinstance(about, dict) else 0
            if not rows or page >= pages:
                break

    def _artist(self, row: Mapping[str, Any]) -> None:
        name, plays = clean(row.get("name")), count_of(row.get("playcount"))
        if is_artist(name) and plays:
            self._told.artists.append((name, plays))
        else:
            self._told.left_out["no artist" if plays else "no number of plays"] += 1

    def _track(self, row: Mapping[str, Any]) -> None:
        name, title = _artist_of(row), clean(row.get("name"))
        plays = count_of(row.get("playcount"))
        if is_artist(name) and title and plays:
            self._told.tracks.append(((name,), title, plays))

    def _play(self, row: Mapping[str, Any]) -> None:
        """A play of the past: the one that is going on has no date."""
        date = row.get("date")
        at = seconds_of(date.get("uts")) if isinstance(date, dict) else None
        name = _artist_of(row)
        if at is not None and is_artist(name):
            self._told.latest.append(((name,), clean(row.get("name")), at))

    def _get(self, method: str, **fields: object) -> Mapping[str, Any]:
        for tried in range(1, MOST_TRIES + 1):
            answer = self._web.get(
                "/2.0/", method=method, user=self._user, api_key=self._key, format="json", **fields
            )
            body = answer.body if isinstance(answer.body, dict) else {}
            code = count_of(body.get("error"))
            if not code and answer.status < 400:
                return body
            if code not in (_TOO_FAST, *_STUMBLED) or tried == MOST_TRIES:
                self._refused(code, answer.status)
            self._web.pause(AGAIN_AFTER_S)
        raise AssertionError

    def _refused(self, code: int, status: int) -> NoReturn:
        user = clean(self._user)[:60]
        if code in _NOT_FOUND or (not code and status == 404):
            raise NoSuchUser(f"Last.fm knows no user named {user!r}: check the spelling")
        if code in _PRIVATE:
            raise NoSuchUser(
                f"{user!r} keeps their listening private at Last.fm: it can be opened there, under "
                "Settings, Privacy"
            )
        if code in _BAD_KEY or (not code and status in (401, 403)):
            raise NotAllowed(
                "Last.fm doesn't accept this server's key: whoever runs it should check "
                "LASTFM_API_KEY"
            )
        if code == _TOO_FAST:
            raise self._web.busy(None)
        raise self._web.down(f"it answers with error {code or status}")


def _artist_of(row: Mapping[str, Any]) -> str:
    """An artist is told as `name` in totals and as `#text` among the latest plays."""
    artist = row.get("artist")
    if isinstance(artist, dict):
        return clean(artist.get("name")) or clean(artist.get("#text"))
    return clean(artist)
