"""Conversion between members and rows of the tables."""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from twotower.community.records import Member, ModelVectors
from twotower.community.schema import sample_key
from twotower.core.domain import SPOTIFY_WEB_API, Artist, Listener, Profile
from twotower.core.errors import CommunityError
from twotower.core.names import artist_key, confusable_skeleton
from twotower.core.origins import known_origin
from twotower.core.placeholders import is_placeholder
from twotower.sources.profile_jsonl import profile_to_json, read_profiles

Row = dict[str, Any]
_Item = TypeVar("_Item")
ROWS_PER_STATEMENT = 500  # a statement may have 999 values


def batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yield lists of `size` items; the last may be shorter."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def now() -> str:
    """Return the time in UTC, ISO format, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def rows_of(member: Member, model_version: str) -> tuple[Row, Row]:
    """Return a member's row of `listeners`, without seq, and its row of `vectors`.

    An unknown origin becomes "file". Raises CommunityError if the profile came through Spotify's
    Web API, ValueError if the member has no id, if it has a profile without consent to training, or
    if its vectors are not unit.
    """
    listener, profile = member.listener, member.profile
    origins = (listener.origin, *(() if profile is None else (profile.origin,)))
    if any(SPOTIFY_WEB_API in known_origin(each).split("+") for each in origins):
        raise CommunityError("a profile that came through Spotify's Web API is never stored")
    if not listener.id:
        raise ValueError("a listener needs an id")
    if profile is not None and not member.training:
        raise ValueError(f"{listener.id}: a profile is stored only with consent to training")
    stored_profile = None
    if profile is not None:
        origin = known_origin(profile.origin)
        nameless = replace(profile, id=listener.id, name="", origin=origin)
        stored_profile = json.dumps(profile_to_json(nameless), ensure_ascii=False, allow_nan=False)
    created = now()
    row = {
        "id": listener.id,
        "name": listener.name,
        "look": confusable_skeleton(listener.name),
        "lot": sample_key(listener.id),
        "origin": known_origin(listener.origin),
        "artists": json.dumps(listener.artists, allow_nan=False),
        "genres": json.dumps(listener.genres),
        "findable": member.findable,
        "training": member.training,
        "code_hash": member.code_hash or None,
        "profile": stored_profile,
        "created": created,
        "updated": created,
    }
    vectors = ModelVectors(
        listener.id,
        member.user_vector,
        member.candidate_vector,
        listener.place,
        member.map_version,
    )
    return row, vector_row(vectors, model_version, findable=member.findable)


def vector_row(vectors: ModelVectors, model_version: str, *, findable: bool) -> Row:
    """Return a row of `vectors`.

    Raises ValueError unless both are finite unit vectors of one length and the place is finite.
    """
    id, place = vectors.id, vectors.place
    user, candidate = (_checked_unit(vector, id) for vector in (vectors.user, vectors.candidate))
    if len(user) != len(candidate):
        raise ValueError(
            f"{id}: user vector of {len(user)} and candidate vector of {len(candidate)}"
        )
    if place is not None and not np.isfinite(place).all():
        raise ValueError(f"{id}: the place {place} is not finite")
    x, y = (None, None) if place is None else (float(place[0]), float(place[1]))
    return {
        "id": id,
        "model_version": model_version,
        "user_vector": user.tobytes(),
        "candidate_vector": candidate.tobytes(),
        "x": x,
        "y": y,
        "map_version": vectors.map_version,
        "findable": findable,
    }


def listener_of(row: Any) -> Listener:
    """Return the listener, as others see it, of a row of `listeners` joined with x and y.

    Earlier versions stored names such as "Various Artists"; nobody sees them.
    """
    return Listener(
        id=row.id,
        name=row.name,
        origin=known_origin(row.origin),
        artists=tuple(
            (name, plays) for name, plays in json.loads(row.artists) if not is_placeholder(name)
        ),
        genres=tuple(json.loads(row.genres)),
        place=None if row.x is None else (row.x, row.y),
    )


def stored_profile(row: Any) -> Profile:
    """Return the profile that a row of `listeners` stores for training."""
    (profile,) = read_profiles(io.BytesIO(row.profile.encode()), where=row.id)
    return profile


def visible_profile(row: Any) -> Profile:
    """Return a profile of the artists that others see; the stored one if others see nothing."""
    if row.profile is not None and not json.loads(row.artists):
        return stored_profile(row)
    artists: dict[str, Artist] = {}
    for name, plays in json.loads(row.artists):
        # Earlier versions stored spellings apart that are one artist today.
        known = artists.setdefault(artist_key(name), Artist(name, plays=0))
        artists[artist_key(name)] = replace(known, plays=known.plays + plays)
    return Profile(row.id, artists=artists, origin=known_origin(row.origin), name=row.name)


def plain_values(row: Mapping[str, Any]) -> Row:
    """Return a row with its vectors as lists of numbers."""
    return {
        name: np.frombuffer(value, "<f4").tolist() if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def digest_of(rows: Sequence[Mapping[str, Any]], *, without: Sequence[str] = ()) -> str:
    """Return a SHA-256 over all columns of the rows, except those in `without`."""
    digest = hashlib.sha256()
    for row in rows:
        for key, value in row.items():
            if key not in without:
                digest.update(value if isinstance(value, bytes) else f"{key}={value}\n".encode())
    return digest.hexdigest()


def matrix_of(blobs: Sequence[bytes], dim: int) -> np.ndarray:
    """Return N stored vectors as one matrix (N, dim) float32."""
    return np.frombuffer(b"".join(blobs), "<f4").reshape(len(blobs), dim)


def _checked_unit(vector: np.ndarray, id: str) -> np.ndarray:
    stored = np.asarray(vector, "<f4")
    length = float(np.linalg.norm(stored))
    if stored.ndim != 1 or not abs(length - 1) < 1e-3:
        raise ValueError(
            f"{id}: vector of shape {stored.shape} and length {length:.3g}, not (D,) and 1"
        )
    return stored
