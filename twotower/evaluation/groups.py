"""The check of what else is told of a listener: audio, a playlist's title and the listener's tags.

The query tells it, of its own half alone; the candidate is the other half's artists.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from twotower.core.domain import Playlist, Profile, Spread
from twotower.core.names import artist_key
from twotower.evaluation.splits import halves
from twotower.evaluation.tasks import Retrieval
from twotower.sources.datasets.tags import Tagging

Shown = tuple[str, frozenset[str]]  # what a row is called, and the groups that it shows
WITH_AUDIO: tuple[Shown, ...] = (
    ("artists only", frozenset({"artists"})),
    ("+ audio", frozenset({"artists", "audio"})),
    ("+ playlists", frozenset({"artists", "playlists"})),
    ("+ audio + playlists", frozenset({"artists", "audio", "playlists"})),
    ("audio alone", frozenset({"audio"})),
    ("playlists alone", frozenset({"playlists"})),
)
WITH_TAGS: tuple[Shown, ...] = (
    ("artists only", frozenset({"artists"})),
    ("+ tags", frozenset({"artists", "tags"})),
    ("tags alone", frozenset({"tags"})),
)


def group_tasks(
    source: str,
    profiles: Sequence[Profile],
    shown: Sequence[Shown],
    number: int,
    taggings: Collection[Tagging] = (),
) -> list[Retrieval]:
    """A task for each set of groups, with the same listeners in each: those who have them all."""
    tags: dict[str, dict[str, Counter[str]]] = {}
    for listener, key, tag, _ in taggings:
        tags.setdefault(listener, {}).setdefault(key, Counter())[tag] += 1
    queries, candidates = halves(profiles, number)
    full = [
        _with_groups(query, profile, tags.get(profile.id, {}))
        for query, profile in zip(queries, profiles, strict=True)
    ]
    wanted = frozenset().union(*(groups for _, groups in shown))
    able = [at for at, query in enumerate(full) if all(_group(query, name) for name in wanted)]
    return [
        Retrieval(
            f"groups, {source}, {name}",
            tuple(profiles[at].id for at in able),
            [_show(full[at], groups) for at in able],
            [candidates[at] for at in able],
        )
        for name, groups in shown
    ]


def _with_groups(query: Profile, whole: Profile, tags: Mapping[str, Counter[str]]) -> Profile:
    """The query with all that its own artists, tracks and tags tell."""
    counted: Counter[str] = Counter()
    for key in query.artists:
        counted.update(tags.get(key, ()))
    playlists = tuple(
        Playlist(p.name, tuple(t for t in p.tracks if artist_key(t[1]) in query.artists))
        for p in whole.playlists
    )
    values: dict[str, list[float]] = {}
    for track in query.tracks:
        for attribute, value in track.audio.items():
            values.setdefault(attribute, []).append(value)
    audio = {name: Spread(float(np.mean(v)), float(np.std(v))) for name, v in values.items()}
    return replace(
        query,
        genres=MappingProxyType({tag: float(count) for tag, count in counted.items()}),
        playlists=playlists,
        audio=MappingProxyType(audio),
    )


def _group(query: Profile, name: str) -> bool:
    """Whether the query has the group."""
    return bool(getattr(query, "genres" if name == "tags" else name))


def _show(query: Profile, groups: Collection[str]) -> Profile:
    """The query with these groups and nothing else; tracks only as long as their artists are."""
    return replace(
        query,
        artists=query.artists if "artists" in groups else MappingProxyType({}),
        tracks=query.tracks if "artists" in groups else (),
        genres=query.genres if "tags" in groups else MappingProxyType({}),
        playlists=query.playlists if "playlists" in groups else (),
        audio=query.audio if "audio" in groups else MappingProxyType({}),
    )
