"""Audio attributes of a listener's most played tracks, looked up if the operator allows it.

The values are only shown. They never enter a profile, so they are neither stored nor trained on:
ReccoBeats publishes no licence for its values, and AcousticBrainz's are on another scale.
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
from twotower.core.jobs import Progress, silent
from twotower.sources.services.http import WebClient

MOST_TRACKS = 200  # looked up, the most played

Values = Mapping[str, float]  # attribute -> value, in its range


@dataclass(frozen=True, slots=True)
class AudioService:
    """A service that has audio attributes of tracks."""

    id: str  # value of the operator's setting
    name: str
    page: str
    address: str  # of its API
    between_s: float  # between two calls
    batch: int  # tracks in one call
    id_of: Callable[[Track], str | None]  # the track's id at this service
    fetch: Callable[[WebClient, Sequence[str]], Mapping[str, Values]]  # ids -> id: values
    about: str  # how reliable its values are, for the person


@dataclass(frozen=True, slots=True)
class AudioResult:
    """Result of a look-up for one profile."""

    audio: Mapping[str, Spread]  # weighted by plays; empty if nothing is known
    looked_up: int  # tracks
    known: int  # tracks


def tracks_to_look_up(profile: Profile, service: AudioService) -> tuple[Track, ...]:
    """Return the most played tracks that the service may know, at most MOST_TRACKS.

    Empty for a profile from Spotify's Web API: its content is never sent to others.
    """
    if SPOTIFY_WEB_API in profile.origin.split("+"):
        return ()
    ranked = sorted(profile.tracks, key=lambda track: -track.plays)
    known = (track for track in ranked if service.id_of(track) is not None)
    return tuple(islice(known, MOST_TRACKS))


def look_up_audio(
    tracks: Sequence[Track], service: AudioService, web: WebClient, progress: Progress = silent
) -> AudioResult:
    """Fetch the attributes of the tracks, one batch per call; out-of-range values are dropped.

    Raises RateLimited or Unreachable.
    """
    weighted: list[tuple[Values, float]] = []  # (values, plays)
    for at in range(0, len(tracks), service.batch):
        progress(
            at / len(tracks), f"Looking up at {service.name}, {at:,} of {len(tracks):,} tracks"
        )
        batch = {service.id_of(track) or "": track for track in tracks[at : at + service.batch]}
        for id, values in service.fetch(web, list(batch)).items():
            if id in batch and values:
                weighted.append((values, batch[id].plays))
    return AudioResult(MappingProxyType(spreads(weighted)), len(tracks), len(weighted))


def _fetch_reccobeats(web: WebClient, ids: Sequence[str]) -> Mapping[str, Values]:
    answer = web.get("/v1/audio-features", ids=",".join(ids))
    if answer.status >= 400:
        raise web.unreachable(f"it answers with status {answer.status}")
    attributes: dict[str, Values] = {}
    for row in _rows(_field(answer.body, "content")):
        href = row.get("href")
        if isinstance(href, str):
            attributes[href.rstrip("/").rsplit("/", 1)[-1]] = _in_range(row)
    return attributes


def _fetch_acousticbrainz(web: WebClient, ids: Sequence[str]) -> Mapping[str, Values]:
    """Fetch the measured tempo, and classifier probabilities for the other attributes."""
    joined_ids = ";".join(ids)
    attributes: dict[str, dict[str, float]] = {id: {} for id in ids}
    low = web.get("/api/v1/low-level", recording_ids=joined_ids, features="rhythm.bpm")
    high = web.get("/api/v1/high-level", recording_ids=joined_ids)
    for answer in (low, high):
        if answer.status >= 400:
            raise web.unreachable(f"it answers with status {answer.status}")
    for id, values in attributes.items():
        tempo = _field(_first(low.body, id), "rhythm", "bpm")
        models = _field(_first(high.body, id), "highlevel")
        probabilities = {
            "tempo": tempo,
            "danceability": _field(models, "danceability", "all", "danceable"),
            "acousticness": _field(models, "mood_acoustic", "all", "acoustic"),
            "instrumentalness": _field(models, "voice_instrumental", "all", "instrumental"),
        }
        values.update(_in_range(probabilities))
    return {id: values for id, values in attributes.items() if values}


def _first(body: object, id: str) -> object:
    """Return the first document of a recording; others are further submissions of it."""
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
    if values.get("tempo") == 0:  # not analysed
        del values["tempo"]
    return values


AUDIO_SERVICES: Mapping[str, AudioService] = MappingProxyType(
    {
        one.id: one
        for one in (
            AudioService(
                "reccobeats",
                "ReccoBeats",
                "https://reccobeats.com",
                "https://api.reccobeats.com",
                0.5,
                40,
                lambda track: track.spotify,
                _fetch_reccobeats,
                "Its values are only shown here. Their origin and licence are not published.",
            ),
            AudioService(
                "acousticbrainz",
                "AcousticBrainz",
                "https://acousticbrainz.org",
                "https://acousticbrainz.org",
                0.2,
                25,
                lambda track: track.mbid,
                _fetch_acousticbrainz,
                "Tempo is measured. The other values are rough estimates. All are only shown here. "
                "The data ends in 2022 (CC0).",
            ),
        )
    }
)
