"""What a user of ListenBrainz has heard, by name: it needs no key, and everyone's is public."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO, Any
from urllib.parse import quote

from twotower.core.domain import Play
from twotower.core.errors import NoSuchUser, UnreadableExport
from twotower.sources.files.json_stream import json_rows
from twotower.sources.files.text import clean, mbid, text_chunks, text_lines
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
from twotower.sources.services.http import Answer, WebClient

ORIGIN = "listenbrainz"
BETWEEN_S = 1.0  # between two calls
PAGE = 1000  # the most in one answer
MOST_PAGES = 5  # of one question
_MEMBER = re.compile(r"(^|[/\\])listens[/\\]\d{4}[/\\]\d{1,2}\.jsonl$")
_RANGES = {"all": "all_time", "year": "year", "half": "half_yearly"}


def read_listenbrainz(
    user: str, web: WebClient, *, span: str = "all", progress: Progress | None = None
) -> Reading:
    """Read a user's artists and top tracks over one of SPANS, and the latest plays for the clock.

    Where ListenBrainz hasn't worked out the totals yet, the latest 5,000 plays stand for them.
    NoSuchUser, NoMusic, RateLimited and Unreachable say what to do; what was read before one of
    the last two is kept where it is enough for a profile.
    """
    if span not in SPANS:
        raise ValueError(f"span is {span!r}; there are {', '.join(SPANS)}")
    return _Reader(user.strip(), web, span, progress or (lambda share, what: None)).reading()


class _Reader:
    def __init__(self, user: str, web: WebClient, span: str, progress: Progress) -> None:
        self._user, self._web, self._span, self._tell = user, web, span, progress
        self._told = Told()

    def reading(self) -> Reading:
        told = self._told
        self._tell(0.0, "Looking the name up")
        self._latest(1)
        self._tell(0.25, "Reading artists")
        there = told.attempt("Some or all artists", lambda: self._totals("artists"))
        if there:
            self._tell(0.6, "Reading top tracks")
            told.attempt("Top tracks", lambda: self._totals("recordings"))
        elif there is False:
            told.notes.append(
                f"ListenBrainz has no totals over {SPANS[self._span]} yet, "
                "so the latest plays stand for them"
            )
            told.attempt("More of the latest plays", lambda: self._latest(MOST_PAGES))
        if not told.artists:
            told.since = told.until = None
        self._tell(1.0, "Read")
        return told.reading(f"ListenBrainz, {clean(self._user)}", ORIGIN)

    def _totals(self, what: str) -> bool:
        """Read artists or recordings; False where ListenBrainz has yet to work them out."""
        offset = 0
        for page in range(MOST_PAGES):
            answer = self._get(
                f"/1/stats/user/{self._name()}/{what}",
                count=PAGE,
                offset=offset,
                range=_RANGES[self._span],
            )
            if answer.status == 204 or answer.body is None:
                return page > 0
            payload = _payload(answer)
            rows = rows_of(payload.get(what, []))
            for row in rows:
                self._artist(row) if what == "artists" else self._track(row)
            self._days(payload)
            offset += PAGE
            if len(rows) < PAGE or offset >= count_of(payload.get(f"total_{what[:-1]}_count")):
                break
        return True

    def _artist(self, row: Mapping[str, Any]) -> None:
        name, plays = clean(row.get("artist_name")), count_of(row.get("listen_count"))
        if is_artist(name) and plays:
            self._told.artists.append((name, plays))
        else:
            self._told.left_out["no artist" if plays else "no number of plays"] += 1

    def _track(self, row: Mapping[str, Any]) -> None:
        names = credited(row.get("artists"), row.get("artist_name"))
        title, plays = clean(row.get("track_name")), count_of(row.get("listen_count"))
        if names and title and plays:
            self._told.tracks.append((names, title, plays))
            if (id := mbid(row.get("recording_mbid"))) is not None:
                self._told.mbids[names, title] = id

    def _days(self, payload: Mapping[str, Any]) -> None:
        """The span of a shorter range; that of all time begins with the oldest play instead."""
        if self._span == "all":
            return
        first, last = seconds_of(payload.get("from_ts")), seconds_of(payload.get("to_ts"))
        self._told.since = first.date() if first else self._told.since
        self._told.until = last.date() if last else self._told.until

    def _latest(self, pages: int) -> None:
        """Read the latest plays, of which the first page also says who and how long."""
        told = self._told
        before = min((int(at.timestamp()) for _, _, at in told.latest), default=None)
        for page in range(1 if before else 0, pages):
            answer = self._get(f"/1/user/{self._name()}/listens", count=PAGE, max_ts=before)
            payload = _payload(answer)
            rows = rows_of(payload.get("listens", []))
            for row in rows:
                play = listened(row)
                if play is None:
                    told.left_out["no artist"] += 1
                elif play.at is not None:
                    names = (play.artist, *play.guests)
                    told.latest.append((names, play.track or "", play.at))
                    at = int(play.at.timestamp())
                    before = at if before is None else min(before, at)
            if page == 0 and self._span == "all":
                oldest = seconds_of(payload.get("oldest_listen_ts"))
                newest = seconds_of(payload.get("latest_listen_ts"))
                told.since = oldest.date() if oldest else None
                told.until = newest.date() if newest else None
            self._tell(0.2 + 0.15 * page, f"Reading the latest plays, {len(told.latest):,}")
            if len(rows) < PAGE or before is None:
                break

    def _get(self, path: str, **fields: object) -> Answer:
        answer = self._web.get(path, **fields)
        if answer.status == 404:
            raise NoSuchUser(
                f"ListenBrainz knows no user named {clean(self._user)[:60]!r}: check the spelling"
            )
        if answer.status >= 400:
            raise self._web.down(f"it answers with status {answer.status}")
        return answer

    def _name(self) -> str:
        return quote(self._user, safe="")


def is_listens_name(name: str) -> bool:
    """Whether a file of a person's own export from ListenBrainz tells of listening."""
    return _MEMBER.search(name.casefold()) is not None


def read_listens(
    file: IO[bytes], name: str, *, left_out: Counter[str] | None = None
) -> Iterator[Play]:
    """Yield the plays in one file of such an export: a listen a line, or a list of them in JSON.

    A line that is no listen is counted in `left_out`; a damaged list is UnreadableExport.
    """
    left_out = Counter() if left_out is None else left_out
    for row in _rows(file, name):
        play = listened(row) if isinstance(row, dict) else None
        if play is not None:
            yield play
        else:
            known = isinstance(row, dict) and "track_metadata" in row
            left_out["no artist" if known else "other rows"] += 1


def _rows(file: IO[bytes], name: str) -> Iterator[object]:
    start = next((text.lstrip() for text in text_chunks(file) if text.strip()), "")
    file.seek(0)
    if start.startswith("["):
        yield from (row for _, row in json_rows(file, name))
        return
    try:
        for line in text_lines(file):
            if line.strip():
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    yield None
    except ValueError as fault:
        raise UnreadableExport(f"{fault}: download the file again", where=name) from fault


def listened(row: Mapping[str, Any]) -> Play | None:
    """A listen as ListenBrainz writes it, in an answer or an export; None where no artist is."""
    told = row.get("track_metadata")
    if not isinstance(told, dict):
        return None
    mapping = told.get("mbid_mapping")
    mapped: Mapping[str, Any] = mapping if isinstance(mapping, dict) else {}
    names = credited(mapped.get("artists"), told.get("artist_name"))
    if not names:
        return None
    return Play(
        names[0],
        clean(told.get("track_name")) or None,
        at=seconds_of(row.get("listened_at")),
        guests=names[1:],
        mbid=mbid(mapped.get("recording_mbid")),
    )


def credited(artists: object, name: object) -> tuple[str, ...]:
    """The artists of a credit, the main one first, each once; else the one name it was sent as."""
    names = [clean(row.get("artist_credit_name")) for row in rows_of(artists)]
    found = tuple(dict.fromkeys(one for one in names if is_artist(one)))
    whole = clean(name)
    return found or ((whole,) if is_artist(whole) else ())


def _payload(answer: Answer) -> Mapping[str, Any]:
    payload = answer.body.get("payload") if isinstance(answer.body, dict) else None
    return payload if isinstance(payload, dict) else {}
