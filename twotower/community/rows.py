"""Members as rows of the tables, and rows as what they tell."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from twotower.community.records import Member, ModelVectors
from twotower.community.schema import lot_of
from twotower.core.domain import SPOTIFY_WEB_API, Artist, Listener, Profile
from twotower.core.errors import CommunityError
from twotower.core.names import artist_key, confusable_skeleton
from twotower.sources.profile_jsonl import profile_to_json, read_profiles

Row = dict[str, Any]


def now() -> str:
    """UTC, ISO, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def rows_of(member: Member, model_version: str) -> tuple[Row, Row]:
    """Columns of listeners, without seq, and of vectors; a ValueError where they make no sense.

    A CommunityError where the listening came through Spotify's Web API.
    """
    who, profile = member.listener, member.profile
    origins = (who.origin, *(() if profile is None else (profile.origin,)))
    if any(SPOTIFY_WEB_API in each.strip().casefold().split("+") for each in origins):
        raise CommunityError("what came through Spotify's Web API is never stored")
    if not who.id:
        raise ValueError("a listener needs an id")
    if profile is not None and not member.training:
        raise ValueError(f"{who.id}: a profile is kept only of who helps to train")
    kept = None
    if profile is not None:
        bare = replace(profile, id=who.id, name="")
        kept = json.dumps(profile_to_json(bare), ensure_ascii=False, allow_nan=False)
    when = now()
    listener = {
        "id": who.id,
        "name": who.name,
        "look": confusable_skeleton(who.name),
        "lot": lot_of(who.id),
        "origin": who.origin,
        "artists": json.dumps(who.artists, allow_nan=False),
        "genres": json.dumps(who.genres),
        "findable": member.findable,
        "training": member.training,
        "code_hash": member.code_hash or None,
        "profile": kept,
        "created": when,
        "updated": when,
    }
    placed = ModelVectors(
        who.id, member.user_vector, member.candidate_vector, who.place, member.map_version
    )
    return listener, vectors_of(placed, model_version, findable=member.findable)


def vectors_of(placed: ModelVectors, model_version: str, *, findable: bool) -> Row:
    """Columns of vectors; a ValueError unless both are finite unit vectors of one length."""
    user, candidate = (_unit(vector, placed.id) for vector in (placed.user, placed.candidate))
    if len(user) != len(candidate):
        raise ValueError(
            f"{placed.id}: user vector of {len(user)} and candidate vector of {len(candidate)}"
        )
    if placed.place is not None and not np.isfinite(placed.place).all():
        raise ValueError(f"{placed.id}: the place {placed.place} is not on a map")
    x, y = placed.place if placed.place is not None else (None, None)
    return {
        "id": placed.id,
        "model_version": model_version,
        "user_vector": user.tobytes(),
        "candidate_vector": candidate.tobytes(),
        "x": None if x is None else float(x),
        "y": None if y is None else float(y),
        "map_version": placed.map_version,
        "findable": findable,
    }


def listener_of(row: Any) -> Listener:
    """As others see it, of a row of listeners with x and y."""
    return Listener(
        id=row.id,
        name=row.name,
        origin=row.origin,
        artists=tuple((name, plays) for name, plays in json.loads(row.artists)),
        genres=tuple(json.loads(row.genres)),
        place=None if row.x is None else (row.x, row.y),
    )


def kept_in(row: Any) -> Profile:
    """The kept profile of a row of listeners."""
    (profile,) = read_profiles(io.BytesIO(row.profile.encode()), where=row.id)
    return profile


def shown_in(row: Any) -> Profile:
    """A profile of the artists that others see; the kept one of whom nobody sees anything."""
    if row.profile is not None and not json.loads(row.artists):
        return kept_in(row)
    artists = {
        artist_key(name): Artist(name, plays=plays) for name, plays in json.loads(row.artists)
    }
    return Profile(row.id, artists=artists, origin=row.origin, name=row.name)


def told_of(row: Mapping[str, Any]) -> Row:
    """A row as plain values for its owner: vectors as numbers."""
    return {
        name: np.frombuffer(value, "<f4").tolist() if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def digest_of(rows: Sequence[Mapping[str, Any]], *, without: Sequence[str] = ()) -> str:
    """The same for the same rows, whenever it is taken."""
    digest = hashlib.sha256()
    for row in rows:
        for key, value in row.items():
            if key not in without:
                digest.update(value if isinstance(value, bytes) else f"{key}={value}\n".encode())
    return digest.hexdigest()


def matrix_of(blobs: Sequence[bytes], dim: int) -> np.ndarray:
    """(N, dim) float32 of N stored vectors."""
    return np.frombuffer(b"".join(blobs), "<f4").reshape(len(blobs), dim)


def _unit(vector: np.ndarray, id: str) -> np.ndarray:
    stored = np.asarray(vector, "<f4")
    length = float(np.linalg.norm(stored))
    if stored.ndim != 1 or not abs(length - 1) < 1e-3:
        raise ValueError(
            f"{id}: vector of shape {stored.shape} and length {length:.3g}, not (D,), 1"
        )
    return stored
