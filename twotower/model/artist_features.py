"""The frozen inputs of the artist encoder, cross-fitted: nobody trains on their own listening.

For each fold of listeners the factors, counts and tags of all artists are made anew without that
fold, and laid onto the full solution; a listener in training only ever meets such a table.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import AUDIO, Profile
from twotower.model import als
from twotower.model.batches import ContentMap
from twotower.model.catalogue import order_rows
from twotower.model.content import ContentSpace, TagSpace, fit_tags, read_tags
from twotower.model.play_matrix import artist_plays, centred_log, play_rows
from twotower.model.towers import (
    CONTENT,
    DF,
    FACTOR,
    FACTOR_DIM,
    INPUT_WIDTH,
    TAGS,
)
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.tags import Tagging

SOURCE_WEIGHT: Mapping[str, float] = {"mpd": 0.3, "mpd-withheld": 0.3}  # others 1
PRIOR_LISTENERS = 2.0  # how many listeners content counts for beside the real ones
RIDGE_ALPHA, RIDGE_CAP = 300.0, 20.0
TAG_LISTENERS, TAG_ARTISTS = 3, 3  # a tag counts from here

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class World:
    """Everything known of artists and listeners before training; rows by number of listeners."""

    keys: tuple[str, ...]
    names: tuple[str, ...]
    genres: tuple[tuple[str, ...], ...]
    audio: np.ndarray  # (artists, 10) NaN where unknown
    static: np.ndarray  # (artists, CONTENT without TAGS)
    space: ContentSpace
    weights: sp.csr_matrix  # (listeners, artists) source weight x relative plays, for factors
    plays: sp.csr_matrix  # (listeners, artists) plays
    source: np.ndarray  # (listeners,) origin
    source_weight: np.ndarray  # (listeners,)
    taggings: np.ndarray  # (m, 3) listener row or -1, artist row, tag
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Encoder inputs of every artist, and the same with identity or identity and tags hidden."""

    inputs: np.ndarray  # (artists, INPUT_WIDTH)
    by_content: np.ndarray  # (artists, FACTOR_DIM) place from content
    by_static: np.ndarray  # (artists, FACTOR_DIM) place from content without tags
    content_map: ContentMap
    prior: np.ndarray  # (FACTOR_DIM, FACTOR_DIM) precision of a listener's vector


Onto = Callable[
    [Sequence[str], Table], np.ndarray
]  # keys, and a table of them -> a rotation (k, k)


def build_world(
    profiles: Sequence[Profile],
    content: Sequence[ArtistContent] = (),
    taggings: Sequence[Tagging] = (),
    *,
    seed: int = 0,
    space: ContentSpace | None = None,
) -> World:
    """Profiles, artist content and taggings as rows; artists with listeners come first.

    Artists enter that someone plays, or that have genres or audio. Taggings of listeners who are
    not among the profiles are left out: their owners may be test listeners.
    """
    names: dict[str, str] = {c.key: c.name for c in content if c.genres or c.audio}
    about = {c.key: c for c in content}
    df: dict[str, float] = {}
    weight_of = np.array([SOURCE_WEIGHT.get(p.origin, 1.0) for p in profiles], np.float32)
    for profile, weight in zip(profiles, weight_of, strict=True):
        for key, artist in profile.artists.items():
            names.setdefault(key, artist.name)
            df[key] = df.get(key, 0.0) + float(weight)
    keys = np.array(sorted(names), dtype=object)
    popularity = np.array([(about[k].popularity if k in about else None) or 0.0 for k in keys])
    keys = keys[order_rows(np.array([df.get(k, 0.0) for k in keys]), popularity, keys)]
    row_of = {key: row for row, key in enumerate(keys)}
    genres = tuple(about[k].genres if k in about else () for k in keys)
    audio = np.full((len(keys), len(AUDIO) + 1), np.nan, np.float32)
    for row, key in enumerate(keys):
        if key in about:
            found = about[key]
            audio[row] = [found.audio.get(name, np.nan) for name in AUDIO] + [
                np.nan if found.popularity is None else found.popularity
            ]
    ordered = [names[k] for k in keys]
    if space is None:
        space = ContentSpace.fit(genres, ordered, audio, seed=seed)
    static = np.concatenate([space.audio(audio), space.genres(genres), space.names(ordered)], 1)
    plays, weights = _matrices(profiles, row_of, weight_of)
    listener_row = {p.id: row for row, p in enumerate(profiles) if p.origin == "hetrec"} or {
        p.id: row for row, p in enumerate(profiles)
    }
    tag_row: dict[str, int] = {}
    kept = [
        (listener_row[who], row_of[key], tag_row.setdefault(tag, len(tag_row)))
        for who, key, tag, _ in taggings
        if who in listener_row and key in row_of
    ]
    return World(
        tuple(keys), tuple(ordered), genres, audio, static, space,
        weights, plays, np.array([p.origin for p in profiles]), weight_of,
        np.array(kept, np.int64).reshape(-1, 3), tuple(tag_row),
    )  # fmt: skip


def _matrices(
    profiles: Sequence[Profile], row_of: Mapping[str, int], weight_of: np.ndarray
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Plays, and play weights times the weight of the source; both (listeners, artists) float32."""
    listeners = map(artist_plays, profiles)
    plays = play_rows(listeners, row_of.__getitem__, len(row_of), kind="f")
    weights = centred_log(plays)
    weights.data *= np.repeat(weight_of, np.diff(weights.indptr))
    return plays, weights


def folds_of(source: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """(listeners,) fold 0..count-1, even within each source."""
    rng = np.random.default_rng([seed, 1])
    fold = np.zeros(len(source), np.int64)
    for origin in np.unique(source):
        members = np.flatnonzero(source == origin)
        fold[rng.permutation(members)] = np.arange(len(members)) % count
    return fold


def build_tables(
    world: World,
    fold: np.ndarray,
    *,
    seed: int = 0,
    onto: Onto | None = None,
    progress: Progress | None = None,
) -> tuple[Table, list[Table]]:
    """(the table of all, for use) and (one a fold, for training): artists as `world` has them.

    A fold's table knows its listeners only by the common scale, the tags' basis and the rotation
    that lays its factors onto those of all; how its artists stand to one another owes them nothing.
    `onto` turns all of them into a basis that is known from before.
    """
    solved = [solve() for solve in factor_jobs(world, fold, seed=seed, progress=progress)]
    return tables_of(world, fold, solved, seed=seed, onto=onto)


def factor_jobs(
    world: World, fold: np.ndarray, *, seed: int = 0, progress: Progress | None = None
) -> list[Callable[[], np.ndarray]]:
    """What takes most of the time, in jobs that know nothing of one another.

    Each gives (artists, FACTOR_DIM): the factors by all listeners, then by those outside of each
    fold.
    """
    rounds = 15
    noise = _noise(world.keys, seed)
    jobs = 1 + (int(fold.max()) + 1 if len(fold) else 0)

    def solve(job: int) -> np.ndarray:
        def tell(done: int) -> None:
            if progress is not None:
                progress((rounds * job + done) / (rounds * jobs), "artist factors")

        weights = world.weights
        if job:
            others = (fold != job - 1).astype(np.float32)
            weights = sp.csr_matrix(sp.diags(others) @ weights)
            weights.eliminate_zeros()
        # from the same noise: the full solution has seen every fold
        return als.als(weights, start=noise, iterations=rounds, on_iteration=tell).artists

    return [partial(solve, job) for job in range(jobs)]


def tables_of(
    world: World,
    fold: np.ndarray,
    solved: Sequence[np.ndarray],
    *,
    seed: int = 0,
    onto: Onto | None = None,
) -> tuple[Table, list[Table]]:
    """The tables of `build_tables`, from what its jobs gave."""
    full, *parts = solved
    scale = 1 / np.sqrt(max(1e-9, float(np.square(full).sum(1)[_played(world)].mean()) / 64))
    kept = _tags_that_count(world)
    everyone = np.ones(world.weights.shape[0], bool)
    space = None
    if len(kept):
        counts = _tag_matrix(world, everyone, kept)
        space = fit_tags(counts, [world.tags[t] for t in kept], seed=seed)
    artists = full
    whole = _table(world, artists, scale, everyone, kept, space)
    if onto is not None:
        artists = artists @ onto(world.keys, whole)
        whole = _table(world, artists, scale, everyone, kept, space)
    tables = []
    for f, part in enumerate(parts):
        others = fold != f
        weight = np.minimum(_df(world, others), RIDGE_CAP)
        moved = part @ als.procrustes(part, artists, weight)
        tables.append(_table(world, moved, scale, others, kept, space))
    return whole, tables


def _noise(keys: Sequence[str], seed: int) -> np.ndarray:
    """(artists, FACTOR_DIM) where factors start: by the order of keys, which no listener moves."""
    drawn = np.random.default_rng(seed).standard_normal((len(keys), FACTOR_DIM)) * 0.01
    noise = np.empty_like(drawn, dtype=np.float32)
    noise[np.argsort(np.array(keys, dtype=str))] = drawn
    return noise


def _played(world: World) -> np.ndarray:
    return np.asarray(world.weights.getnnz(0)) > 0


def listeners_of_artists(world: World) -> np.ndarray:
    """(artists,) how many listeners play each, a playlist counting as little as its source."""
    return _df(world, np.ones(world.plays.shape[0], bool))


def _df(world: World, listeners: np.ndarray) -> np.ndarray:
    """(artists,) listeners among these, each counting as much as the source does."""
    ones = world.plays.copy()
    ones.data = np.ones_like(ones.data)
    return np.asarray((world.source_weight * listeners) @ ones, dtype=np.float32)


def _tags_that_count(world: World) -> np.ndarray:
    if not len(world.taggings):
        return np.zeros(0, np.int64)
    who, what, tag = world.taggings.T
    width = len(world.tags)
    listeners = np.bincount(np.unique(who * width + tag) % width, minlength=width)
    artists = np.bincount(np.unique(what * width + tag) % width, minlength=width)
    return np.flatnonzero((listeners >= TAG_LISTENERS) & (artists >= TAG_ARTISTS))


def _tag_matrix(world: World, listeners: np.ndarray, kept: np.ndarray) -> sp.csr_matrix:
    column = np.full(len(world.tags), -1)
    column[kept] = np.arange(len(kept))
    who, what, tag = world.taggings.T
    use = listeners[who] & (column[tag] >= 0)
    return sp.csr_matrix(
        (np.ones(use.sum(), np.float32), (what[use], column[tag[use]])),
        shape=(len(world.keys), len(kept)),
    )


def _table(
    world: World,
    artists: np.ndarray,
    scale: float,
    listeners: np.ndarray,
    kept: np.ndarray,
    space: TagSpace | None,
) -> Table:
    df = _df(world, listeners)
    tags = np.zeros((len(df), TAGS.stop - TAGS.start), np.float32)
    if space is not None:
        tags = read_tags(space, _tag_matrix(world, listeners, kept))
    content = np.concatenate([tags, world.static], axis=1)
    fitted = df >= 2
    if not fitted.any():
        fitted = df > 0
    mean = content[fitted].mean(0)
    std = np.maximum(content[fitted].std(0), 1e-2)
    coefficients = als.ridge(
        (content[fitted] - mean) / std,
        artists[fitted] * scale,
        np.minimum(df[fitted], RIDGE_CAP),
        RIDGE_ALPHA,
    )
    content_map = ContentMap(world.space, mean, std, coefficients)
    by_content = content_map.factors(content)
    bare = content.copy()
    bare[:, : tags.shape[1]] = 0
    by_static = content_map.factors(bare)
    y = np.where(df[:, None] > 0, artists, 0) * scale
    inputs = np.zeros((len(df), INPUT_WIDTH), np.float32)
    inputs[:, FACTOR] = (df[:, None] * y + PRIOR_LISTENERS * by_content) / (
        df[:, None] + PRIOR_LISTENERS
    )
    inputs[:, DF] = np.column_stack([np.log1p(df) / 2, df > 0, df < 2])
    inputs[:, CONTENT] = content
    gram = y[df > 0].T @ y[df > 0] + als.REG * scale**2 * np.eye(FACTOR_DIM)
    return Table(inputs, by_content, by_static, content_map, gram.astype(np.float32))
