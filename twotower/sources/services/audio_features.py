"""Audio attributes of a listener's most played tracks, looked up where an operator has allowed it.

What is found is for showing: it never enters a profile, so nothing is stored of it or learned from
it. ReccoBeats publishes no licence for its values, and AcousticBrainz's are on another scale.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any

from twotower.core.domain import (
    AUDIO_RANGE,
    SPOTIFY_WEB_API,
    Profile,
    Spread,
    Track,
    spreads,
)
from twotower.sources.services.http import WebClient

MOST_TRACKS = 200  # asked for, the most played

Progress = Callable[[float, str], None]
Values = Mapping[str, float]  # attribute -> value, in its range


@dataclass(frozen=True, slots=True)
class Lookup:
    """A service that tells how tracks sound."""

    id: str  # what an operator sets
    name: str
    page: str
    address: str  # of its API
    between_s: float  # of two calls
    batch: int  # tracks in one call
    id_of: Callable[[Track], str | None]
    ask: Callable[[WebClient, Sequence[str]], Mapping[str, Values]]  # ids -> values of the known
    about: str  # how far its values can be trusted


@dataclass(frozen=True, slots=True)
class Sound:
    """What was found for one profile."""

    audio: Mapping[str, Spread]  # weighted by plays; empty where nothing was known
    asked: int  # tracks
    found: int


def to_ask(profile: Profile, lookup: Lookup) -> tuple[Track, ...]:
    """The most played tracks that the service may know, at most MOST_TRACKS.

    None of a profile that came through Spotify's Web API: what it tells stays here.
    """
    if SPOTIFY_WEB_API in profile.origin.split("+"):
        return ()
    ranked = sorted(profile.tracks, key=lambda track: -track.plays)
    known = (track for track in ranked if lookup.id_of(track) is not None)
    return tuple(islice(known, MOST_TRACKS))


def look_up(
    tracks: Sequence[Track], lookup: Lookup, web: WebClient, progress: Progress | None = None
) -> Sound:
    """Ask the service about the tracks, a batch a call; RateLimited or Unreachable where it fails.

    Values out of their range are left out.
    """
    found: list[tuple[Values, float]] = []
    for at in range(0, len(tracks), lookup.batch):
        if progress is not None:
            progress(at / len(tracks), f"Asking {lookup.name}, {at:,} of {len(tracks):,} tracks")
        batch = {lookup.id_of(track) or "": track for track in tracks[at : at + lookup.batch]}
        for id, values in lookup.ask(web, list(batch)).items():
            if id in batch and values:
                found.append((values, batch[id].plays))
    return Sound(MappingProxyType(spreads(found)), len(tracks), len(found))


def _ask_reccobeats(web: WebClient, ids: Sequence[str]) -> Mapping[str, Values]:
    answer = web.get("/v1/audio-features", ids=",".join(ids))
    if answer.status >= 400:
        raise web.down(f"it answers with status {answer.status}")
    found: dict[str, Values] = {}
    for row in _rows(_field(answer.body, "content")):
        href = row.get("href")
        if isinstance(href, str):
            found[href.rstrip("/").rsplit("/", 1)[-1]] = _in_range(row)
    return found


def _ask_acousticbrainz(web: WebClient, ids: Sequence[str]) -> Mapping[str, Values]:
    """Tempo is measured; the others are how sure a classifier is."""
    asked = ";".join(ids)
    found: dict[str, dict[str, float]] = {id: {} for id in ids}
    low = web.get("/api/v1/low-level", recording_ids=asked, features="rhythm.bpm")
    high = web.get("/api/v1/high-level", recording_ids=asked)
    for answer in (low, high):
        if answer.status >= 400:
            raise web.down(f"it answers with status {answer.status}")
    for id, values in found.items():
        tempo = _field(_first(low.body, id), "rhythm", "bpm")
        models = _field(_first(high.body, id), "highlevel")
        told = {
            "tempo": tempo,
            "danceability": _field(models, "danceability", "all", "danceable"),
            "acousticness": _field(models, "mood_acoustic", "all", "acoustic"),
            "instrumentalness": _field(models, "voice_instrumental", "all", "instrumental"),
        }
        values.update(_in_range(told))
    return {id: values for id, values in found.items() if values}


def _first(body: object, id: str) -> object:
    """The first document of a recording: others are of further submissions of it."""
    return _field(body, id, "0")


def _field(body: object, *names: str) -> object:
    for name in names:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _rows(value: object) -> Iterator[Mapping[str, Any]]:
    return (row for row in value if isinstance(row, dict)) if isinstance(value, list) else iter(())


def _in_range(row: Mapping[str, object]) -> dict[str, float]:
    values = {}
    for name, (low, high) in AUDIO_RANGE.items():
        value = row.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            values[name] = float(value)
    if values.get("tempo") == 0:  # nothing was measured
        del values["tempo"]
    return values


LOOKUPS: Mapping[str, Lookup] = MappingProxyType(
    {
        one.id: one
        for one in (
            Lookup(
                "reccobeats",
                "ReccoBeats",
                "https://reccobeats.com",
                "https://api.reccobeats.com",
                0.5,
                40,
                lambda track: track.spotify,
                _ask_reccobeats,
                "Its values are shown here and used for nothing else: it doesn't say where they "
                "come from, nor under what licence they are.",
            ),
            Lookup(
                "acousticbrainz",
                "AcousticBrainz",
                "https://acousticbrainz.org",
                "https://acousticbrainz.org",
                0.2,
                25,
                lambda track: track.mbid,
                _ask_acousticbrainz,
                "Tempo is measured; the others are how sure a classifier is, which is a weak "
                "guess, so they are shown here and used for nothing else. Nothing newer than 2022 "
                "is known there (CC0).",
            ),
        )
    }
)
