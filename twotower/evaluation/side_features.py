"""Tasks that measure side features: audio, playlist titles and tags, beside artists or alone.

The query has the features of its own half; the candidate is the other half's artists.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from twotower.core.domain import Playlist, Profile, Spread
from twotower.core.names import artist_key
from twotower.evaluation.data import split_half
from twotower.evaluation.specs import Feature, TaskKind, TaskSpec
from twotower.evaluation.tasks import Retrieval
from twotower.sources.datasets.tags import Tagging

FeatureSet = frozenset[Feature]
AUDIO_FEATURES: tuple[FeatureSet, ...] = (
    frozenset({"artists"}),
    frozenset({"artists", "audio"}),
    frozenset({"artists", "playlists"}),
    frozenset({"artists", "audio", "playlists"}),
    frozenset({"audio"}),
    frozenset({"playlists"}),
)
TAG_FEATURES: tuple[FeatureSet, ...] = (
    frozenset({"artists"}),
    frozenset({"artists", "tags"}),
    frozenset({"tags"}),
)


def side_feature_tasks(
    dataset: str,
    profiles: Sequence[Profile],
    feature_sets: Sequence[FeatureSet],
    number: int,
    taggings: Collection[Tagging] = (),
) -> list[Retrieval]:
    """Return a task for each feature set, all with the listeners who have every feature."""
    tags: dict[str, dict[str, Counter[str]]] = {}  # listener -> artist -> tag -> count
    for listener, key, tag, _ in taggings:
        tags.setdefault(listener, {}).setdefault(key, Counter())[tag] += 1
    queries, candidates = split_half(profiles, number)
    full = [
        _with_features(query, profile, tags.get(profile.id, {}))
        for query, profile in zip(queries, profiles, strict=True)
    ]
    wanted = frozenset[Feature]().union(*feature_sets)
    rows = [row for row, query in enumerate(full) if all(_has(query, name) for name in wanted)]
    return [
        Retrieval(
            TaskSpec(TaskKind.FEATURES, dataset, shown),
            tuple(profiles[row].id for row in rows),
            [_reduce_to(full[row], shown) for row in rows],
            [candidates[row] for row in rows],
        )
        for shown in feature_sets
    ]


def _with_features(query: Profile, whole: Profile, tags: Mapping[str, Counter[str]]) -> Profile:
    """Add the tags, playlists and audio that belong to the query's own artists and tracks."""
    counts: Counter[str] = Counter()
    for key in query.artists:
        counts.update(tags.get(key, ()))
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
        genres=MappingProxyType({tag: float(count) for tag, count in counts.items()}),
        playlists=playlists,
        audio=MappingProxyType(audio),
    )


def _has(query: Profile, feature: Feature) -> bool:
    return bool(getattr(query, "genres" if feature == "tags" else feature))


def _reduce_to(query: Profile, shown: FeatureSet) -> Profile:
    """Remove all other features; tracks stay only with their artists."""
    return replace(
        query,
        artists=query.artists if "artists" in shown else MappingProxyType({}),
        tracks=query.tracks if "artists" in shown else (),
        genres=query.genres if "tags" in shown else MappingProxyType({}),
        playlists=query.playlists if "playlists" in shown else (),
        audio=query.audio if "audio" in shown else MappingProxyType({}),
    )
