"""The part of a profile that is stored for training, and how much of it at most."""

import json
from dataclasses import replace

from twotower.core.domain import Profile
from twotower.sources.profile_jsonl import profile_to_json

MOST_ARTISTS = 5_000  # the most played; training reads no more
MOST_GENRES = 8  # of an artist
MOST_PROFILE_GENRES = 1_000
MOST_BYTES = 1_000_000  # as JSON


def reduced_profile(profile: Profile, id: str) -> Profile:
    """Return what training reads: artists with plays and genres, genres, and audio attributes.

    Without name, tracks, playlists, days and hours. Of more than the limits above, the most played
    stay: nobody fills the database with one profile.
    """
    artists = sorted(profile.artists.items(), key=lambda item: -item[1].plays)[:MOST_ARTISTS]
    genres = sorted(profile.genres.items(), key=lambda item: -item[1])[:MOST_PROFILE_GENRES]
    kept = {key: replace(each, genres=each.genres[:MOST_GENRES]) for key, each in artists}
    reduced = Profile(id, kept, dict(genres), audio=profile.audio, origin=profile.origin)
    while (size := stored_bytes(reduced)) > MOST_BYTES and kept:
        fewer = min(len(kept) - 1, len(kept) * MOST_BYTES // size)
        kept = dict(list(kept.items())[:fewer])
        reduced = replace(reduced, artists=kept)
    in_order = {key: kept[key] for key in profile.artists if key in kept}
    return replace(reduced, artists=in_order)


def stored_bytes(profile: Profile) -> int:
    """Return the size of a profile in the database."""
    return len(json.dumps(profile_to_json(profile), ensure_ascii=False).encode())
