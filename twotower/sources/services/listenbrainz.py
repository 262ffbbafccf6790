"""A ListenBrainz user's listening, by user name; needs no key, as all listening there is public."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from twotower.core.errors import NoSuchUser
from twotower.core.jobs import Progress, silent
from twotower.core.names import is_artist_name
from twotower.sources.collector import Reading
from twotower.sources.files.listenbrainz_export import credited_artists, play_of_listen
from twotower.sources.services.history import SPANS, UserHistory, check_span
from twotower.sources.services.http import Answer, WebClient
from twotower.sources.services.user_names import user_name_of
from twotower.sources.values import (
    artist_name,
    clean,
    mbid,
    objects,
    play_count,
    song_title,
    unix_time,
)

ORIGIN = "listenbrainz"
BETWEEN_S = 1.0  # between two calls
PAGE = 1000  # rows in one answer, the most that ListenBrainz allows
MOST_PAGES = 5  # of each list
_RANGES = {"all": "all_time", "year": "year", "half": "half_yearly"}  # SPANS -> ListenBrainz's


def read_listenbrainz(
    user: str, web: WebClient, *, span: str = "all", progress: Progress | None = None
) -> Reading:
    """Read a user's artists and top tracks over one of SPANS, and the latest plays for the clock.

    If ListenBrainz hasn't computed the totals yet, the latest 5,000 plays are used instead. Raises
    NoSuchUser, NoMusic, RateLimited or Unreachable with what to do. After the first page, a failure
    only adds a note to the report.
    """
    check_span(span)
    return _ListenBrainzReader(user_name_of(user), web, span, progress or silent).read()


class _ListenBrainzReader:
    def __init__(self, user: str, web: WebClient, span: str, progress: Progress) -> None:
        self._user, self._web, self._span, self._progress = user, web, span, progress
        self._history = UserHistory()

    def read(self) -> Reading:
        history = self._history
        self._progress(0.0, "Looking up the user name")
        self._read_latest(pages=1)
        self._progress(0.25, "Reading artists")
        has_totals = history.attempt("Some or all artists", lambda: self._read_totals("artists"))
        if has_totals:
            self._progress(0.6, "Reading top tracks")
            history.attempt("Top tracks", lambda: self._read_totals("recordings"))
        elif has_totals is False:
            history.notes.append(
                f"ListenBrainz has no totals over {SPANS[self._span]} yet, "
                "so the latest plays are used instead"
            )
            history.attempt("More of the latest plays", lambda: self._read_latest(MOST_PAGES))
        if not history.artists:
            history.since = history.until = None
        self._progress(1.0, "Read")
        return history.reading(f"ListenBrainz, {clean(self._user)}", ORIGIN)

    def _read_totals(self, kind: str) -> bool:
        """Read "artists" or "recordings". Returns False if ListenBrainz has no totals yet."""
        offset = 0
        for page in range(MOST_PAGES):
            answer = self._get(
                f"/1/stats/user/{self._quoted_user()}/{kind}",
                count=PAGE,
                offset=offset,
                range=_RANGES[self._span],
            )
            if answer.status == 204 or answer.body is None:
                return page > 0
            payload = _payload(answer)
            rows = objects(payload.get(kind, []))
            for row in rows:
                self._add_artist(row) if kind == "artists" else self._add_track(row)
            self._set_days(payload)
            offset += PAGE
            if len(rows) < PAGE or offset >= play_count(payload.get(f"total_{kind[:-1]}_count")):
                break
        return True

    def _add_artist(self, row: Mapping[str, Any]) -> None:
        name, plays = artist_name(row.get("artist_name")), play_count(row.get("listen_count"))
        if is_artist_name(name) and plays:
            self._history.artists.append((name, plays))
        else:
            self._history.left_out["no artist" if plays else "no number of plays"] += 1

    def _add_track(self, row: Mapping[str, Any]) -> None:
        artists = credited_artists(row.get("artists"), row.get("artist_name"))
        title, plays = song_title(row.get("track_name")), play_count(row.get("listen_count"))
        if artists and title and plays:
            self._history.tracks.append((artists, title, plays))
            if (id := mbid(row.get("recording_mbid"))) is not None:
                self._history.mbids[artists, title] = id

    def _set_days(self, payload: Mapping[str, Any]) -> None:
        """Set the days of a shorter span; "all" begins with the oldest play instead."""
        if self._span == "all":
            return
        first, last = unix_time(payload.get("from_ts")), unix_time(payload.get("to_ts"))
        self._history.since = first.date() if first else self._history.since
        self._history.until = last.date() if last else self._history.until

    def _read_latest(self, pages: int) -> None:
        """Read the latest plays up to this page; the first one also shows if the user exists."""
        history = self._history
        before = min((int(at.timestamp()) for _, _, at in history.latest), default=None)
        for page in range(1 if before else 0, pages):
            answer = self._get(f"/1/user/{self._quoted_user()}/listens", count=PAGE, max_ts=before)
            payload = _payload(answer)
            rows = objects(payload.get("listens", []))
            for row in rows:
                at = self._add_latest(row)
                if at is not None:
                    before = at if before is None else min(before, at)
            if page == 0 and self._span == "all":
                oldest = unix_time(payload.get("oldest_listen_ts"))
                newest = unix_time(payload.get("latest_listen_ts"))
                history.since = oldest.date() if oldest else None
                history.until = newest.date() if newest else None
            message = f"Reading the latest plays, {len(history.latest):,}"
            self._progress(0.2 + 0.15 * page, message)
            if len(rows) < PAGE or before is None:
                break

    def _add_latest(self, row: Mapping[str, Any]) -> int | None:
        """Add one of the latest plays; returns its time in seconds since 1970, if known."""
        play = play_of_listen(row)
        if play is None:
            self._history.left_out["no artist"] += 1
            return None
        if play.at is None:
            return None
        artists = (play.artist, *play.guests)
        self._history.latest.append((artists, play.track or "", play.at))
        return int(play.at.timestamp())

    def _get(self, path: str, **fields: object) -> Answer:
        answer = self._web.get(path, **fields)
        if answer.status == 404:
            raise NoSuchUser(
                f"ListenBrainz has no user named {clean(self._user)[:60]!r}: check the spelling"
            )
        if answer.status >= 400:
            raise self._web.unreachable(f"it answers with status {answer.status}")
        return answer

    def _quoted_user(self) -> str:
        return quote(self._user, safe="")


def _payload(answer: Answer) -> Mapping[str, Any]:
    payload = answer.body.get("payload") if isinstance(answer.body, dict) else None
    return payload if isinstance(payload, dict) else {}
