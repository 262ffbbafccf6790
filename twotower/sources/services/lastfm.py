"""A Last.fm user's listening, by user name; needs the operator's API key."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from twotower.core.errors import NoSuchUser, NotAllowed
from twotower.core.jobs import Progress, silent
from twotower.core.names import is_artist_name
from twotower.sources.collector import Reading
from twotower.sources.services.history import UserHistory, check_span
from twotower.sources.services.http import MOST_TRIES, RETRY_AFTER_S, WebClient
from twotower.sources.services.user_names import user_name_of
from twotower.sources.values import artist_name, clean, objects, play_count, song_title, unix_time

ORIGIN = "lastfm"
BETWEEN_S = 0.25  # between two calls
PAGE = 1000  # rows in one answer, the most that Last.fm allows
LATEST_PAGE = 200  # the same for the latest plays
MOST_PAGES = 5  # of each list
_PERIODS = {"all": "overall", "year": "12month", "half": "6month"}  # SPANS -> Last.fm's
# Error codes of the API:
_NOT_FOUND, _PRIVATE, _TOO_FAST = (6, 7), (4, 17), 29
_BAD_KEY, _TEMPORARY = (10, 26), (8, 11, 16)


def read_lastfm(
    user: str,
    web: WebClient,
    key: str,
    *,
    span: str = "all",
    progress: Progress | None = None,
) -> Reading:
    """Read a user's artists and top tracks over one of SPANS, and the latest plays for the clock.

    Raises NoSuchUser, NotAllowed (the operator's key), NoMusic, RateLimited or Unreachable with
    what to do. After the artists, a failure only adds a note to the report.
    """
    check_span(span)
    return _LastfmReader(user_name_of(user), web, key, span, progress or silent).read()


class _LastfmReader:
    def __init__(self, user: str, web: WebClient, key: str, span: str, progress: Progress) -> None:
        self._user, self._web, self._key, self._progress = user, web, key, progress
        self._period = _PERIODS[span]
        self._history = UserHistory()

    def read(self) -> Reading:
        history = self._history
        history.attempt("Some artists", self._read_artists)
        if history.artists:
            history.attempt("Top tracks", self._read_tracks)
            history.attempt("The latest plays", self._read_latest)
        self._progress(1.0, "Read")
        return history.reading(f"Last.fm, {clean(self._user)}", ORIGIN)

    def _read_artists(self) -> None:
        self._read_pages("topartists", "artist", self._add_artist, 0.0, "Reading artists")

    def _read_tracks(self) -> None:
        self._read_pages("toptracks", "track", self._add_track, 0.4, "Reading top tracks")

    def _read_latest(self) -> None:
        message = "Reading the latest plays"
        self._read_pages("recenttracks", "track", self._add_latest, 0.7, message)

    def _read_pages(
        self,
        method: str,
        row_name: str,
        add_row: Callable[[Mapping[str, Any]], None],
        share: float,  # done before
        message: str,
    ) -> None:
        is_latest = method == "recenttracks"
        for page in range(1, MOST_PAGES + 1):
            self._progress(share + 0.05 * page, message)
            body = self._get(
                f"user.get{method}",
                limit=LATEST_PAGE if is_latest else PAGE,
                page=page,
                period=None if is_latest else self._period,
            )
            content = body.get(method)
            fields: Mapping[str, Any] = content if isinstance(content, dict) else {}
            rows = objects(fields.get(row_name, []))
            for row in rows:
                add_row(row)
            attributes = fields.get("@attr")
            pages = play_count(attributes.get("totalPages")) if isinstance(attributes, dict) else 0
            if not rows or page >= pages:
                break

    def _add_artist(self, row: Mapping[str, Any]) -> None:
        name, plays = artist_name(row.get("name")), play_count(row.get("playcount"))
        if is_artist_name(name) and plays:
            self._history.artists.append((name, plays))
        else:
            self._history.left_out["no artist" if plays else "no number of plays"] += 1

    def _add_track(self, row: Mapping[str, Any]) -> None:
        name, title = _artist_of(row), song_title(row.get("name"))
        plays = play_count(row.get("playcount"))
        if is_artist_name(name) and title and plays:
            self._history.tracks.append(((name,), title, plays))

    def _add_latest(self, row: Mapping[str, Any]) -> None:
        """Add a finished play; the track that is playing now has no date."""
        date = row.get("date")
        at = unix_time(date.get("uts")) if isinstance(date, dict) else None
        name = _artist_of(row)
        if at is not None and is_artist_name(name):
            self._history.latest.append(((name,), song_title(row.get("name")), at))

    def _get(self, method: str, **fields: object) -> Mapping[str, Any]:
        for attempt in range(1, MOST_TRIES + 1):
            answer = self._web.get(
                "/2.0/", method=method, user=self._user, api_key=self._key, format="json", **fields
            )
            body = answer.body if isinstance(answer.body, dict) else {}
            code = play_count(body.get("error"))
            if not code and answer.status < 400:
                return body
            if code not in (_TOO_FAST, *_TEMPORARY) or attempt == MOST_TRIES:
                self._raise_error(code, answer.status)
            self._web.pause(RETRY_AFTER_S)
        raise AssertionError

    def _raise_error(self, code: int, status: int) -> NoReturn:
        user = clean(self._user)[:60]
        if code in _NOT_FOUND or (not code and status == 404):
            raise NoSuchUser(f"Last.fm has no user named {user!r}: check the spelling")
        if code in _PRIVATE:
            raise NoSuchUser(
                f"the listening of {user!r} is private at Last.fm: make it public there, under "
                "Settings, Privacy, and try again"
            )
        if code in _BAD_KEY or (not code and status in (401, 403)):
            raise NotAllowed(
                "Last.fm doesn't accept this server's key: ask the operator to check LASTFM_API_KEY"
            )
        if code == _TOO_FAST:
            raise self._web.rate_limited(None)
        raise self._web.unreachable(f"it answers with error {code or status}")


def _artist_of(row: Mapping[str, Any]) -> str:
    """Return the artist: under `name` in totals, under `#text` among the latest plays."""
    artist = row.get("artist")
    if isinstance(artist, dict):
        return artist_name(artist.get("name")) or artist_name(artist.get("#text"))
    return artist_name(artist)
