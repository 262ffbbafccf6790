"""Cross-fitted inputs of the artist encoder: no listener sees features made of their own plays.

The listeners are divided into folds. For each fold the factors, popularity and tags of all artists
are computed without that fold, and rotated onto the full solution. Training shows a listener only
the features of their own fold; the features of all listeners are used afterwards.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp

from twotower.core.domain import AUDIO, Profile
from twotower.core.jobs import Progress, silent
from twotower.model import als
from twotower.model.batches import ContentMap
from twotower.model.catalogue import order_rows
from twotower.model.content import ContentSpace, TagSpace, fit_tags, read_tags
from twotower.model.play_matrix import artist_plays, centred_log, play_rows
from twotower.model.towers import CONTENT, DF, FACTOR, FACTOR_DIM, INPUT_WIDTH, TAGS
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.modern import group_near_duplicates
from twotower.sources.datasets.source_weight import SOURCE_WEIGHT, kind_of
from twotower.sources.datasets.tags import Tagging

PRIOR_LISTENERS = 2.0  # the content's estimate of a factor counts like so many listeners
RIDGE_ALPHA, RIDGE_CAP = 300.0, 20.0  # RIDGE_CAP: most listeners that weigh an artist
TAG_LISTENERS, TAG_ARTISTS = 3, 3  # fewest listeners and artists of a tag
ALS_ITERATIONS = 15


@dataclass(frozen=True)
class TrainingData:
    """Everything known of artists and listeners before training.

    Artists are rows in the order of a catalogue: most listeners first.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    genres: tuple[tuple[str, ...], ...]
    audio: np.ndarray  # (artists, 10) nine attributes and popularity, NaN if unknown
    static: np.ndarray  # (artists, CONTENT without TAGS): content that no listener changes
    space: ContentSpace
    weights: sp.csr_matrix  # (listeners, artists) source weight x play weight, for the factors
    plays: sp.csr_matrix  # (listeners, artists) plays
    source: np.ndarray  # (listeners,) origin of the profile
    source_weight: np.ndarray  # (listeners,)
    kind: np.ndarray  # (listeners,) kind of training step
    group: np.ndarray  # (listeners,) number; near-doubles and the parts of one list have the same
    taggings: np.ndarray  # (m, 3) listener row, artist row, tag number
    tags: tuple[str, ...]


@dataclass(frozen=True)
class ArtistFeatures:
    """Encoder inputs of every artist, and estimates of the factors from content."""

    inputs: np.ndarray  # (artists, INPUT_WIDTH)
    by_content: np.ndarray  # (artists, FACTOR_DIM) factors estimated from all content
    content_map: ContentMap
    prior: np.ndarray  # (FACTOR_DIM, FACTOR_DIM) precision of a listener's vector


@dataclass(frozen=True)
class CrossFit:
    """Folds of the listeners, and the features to use with each."""

    fold: np.ndarray  # (listeners,) number of the listener's fold
    whole: ArtistFeatures  # of all listeners, for use after training
    per_fold: list[ArtistFeatures]  # entry f is computed without the listeners of fold f


# Returns the rotation (FACTOR_DIM, FACTOR_DIM) onto a known basis, for artist keys and features.
Alignment = Callable[[Sequence[str], ArtistFeatures], np.ndarray]


def build_training_data(
    profiles: Sequence[Profile],
    content: Sequence[ArtistContent] = (),
    taggings: Sequence[Tagging] = (),
    *,
    seed: int = 0,
    space: ContentSpace | None = None,
) -> TrainingData:
    """Turn profiles, artist content and taggings into rows.

    Artists are included if somebody plays them, or if they have genres or audio. Taggings of
    listeners outside the profiles are left out, for they may be test listeners. `space` is fitted
    on these artists unless one is given.
    """
    weight_of = np.array([SOURCE_WEIGHT.get(p.origin, 1.0) for p in profiles], np.float32)
    about = {c.key: c for c in content}
    keys, names = _order_artists(profiles, weight_of, content)
    genres = tuple(about[k].genres if k in about else () for k in keys)
    audio = _audio_rows(keys, about)
    if space is None:
        space = ContentSpace.fit(genres, names, audio, seed=seed)
    static = np.concatenate([space.audio(audio), space.genres(genres), space.names(names)], 1)
    row_of = {key: row for row, key in enumerate(keys)}
    plays = play_rows(map(artist_plays, profiles), row_of.__getitem__, len(keys), kind="f")
    weights = centred_log(plays)
    weights.data *= np.repeat(weight_of, np.diff(weights.indptr))
    tag_rows, tags = _tag_rows(profiles, taggings, row_of)
    source = np.array([p.origin for p in profiles])
    return TrainingData(
        keys, names, genres, audio, static, space,
        weights, plays, source, weight_of,
        np.array([kind_of(p.origin) for p in profiles]), _groups(profiles), tag_rows, tags,
    )  # fmt: skip


def _groups(profiles: Sequence[Profile]) -> np.ndarray:
    """Return (listeners,) group numbers; only lists of 2018 to 2026 have near-doubles."""
    rows = [row for row, profile in enumerate(profiles) if kind_of(profile.origin) == "list"]
    names = group_near_duplicates([profiles[row] for row in rows])
    group = np.arange(len(profiles))
    first: dict[str, int] = {}
    for row, name in zip(rows, names, strict=True):
        group[row] = first.setdefault(name, row)
    return group


def _order_artists(
    profiles: Sequence[Profile], weight_of: np.ndarray, content: Sequence[ArtistContent]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return keys and names of all artists, in catalogue order."""
    names = {c.key: c.name for c in content if c.genres or c.audio}
    popularity_of = {c.key: c.popularity or 0.0 for c in content}
    df: dict[str, float] = {}
    for profile, weight in zip(profiles, weight_of, strict=True):
        for key, artist in profile.artists.items():
            names.setdefault(key, artist.name)
            df[key] = df.get(key, 0.0) + float(weight)
    keys = np.array(sorted(names), dtype=object)
    popularity = np.array([popularity_of.get(k, 0.0) for k in keys])
    keys = keys[order_rows(np.array([df.get(k, 0.0) for k in keys]), popularity, keys)]
    return tuple(keys), tuple(names[k] for k in keys)


def _audio_rows(keys: Sequence[str], about: Mapping[str, ArtistContent]) -> np.ndarray:
    """Return (artists, 10) audio attributes and popularity, NaN if unknown."""
    audio = np.full((len(keys), len(AUDIO) + 1), np.nan, np.float32)
    for row, key in enumerate(keys):
        if key in about:
            one = about[key]
            popularity = np.nan if one.popularity is None else one.popularity
            audio[row] = [*(one.audio.get(name, np.nan) for name in AUDIO), popularity]
    return audio


def _tag_rows(
    profiles: Sequence[Profile], taggings: Sequence[Tagging], row_of: Mapping[str, int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return (m, 3) listener row, artist row, tag number of these listeners; and the tags."""
    listener_row = {p.id: row for row, p in enumerate(profiles) if p.origin == "hetrec"} or {
        p.id: row for row, p in enumerate(profiles)
    }
    tag_row: dict[str, int] = {}
    rows = [
        (listener_row[listener], row_of[key], tag_row.setdefault(tag, len(tag_row)))
        for listener, key, tag, _ in taggings
        if listener in listener_row and key in row_of
    ]
    return np.array(rows, np.int64).reshape(-1, 3), tuple(tag_row)


def assign_folds(
    source: np.ndarray, count: int, *, seed: int, group: np.ndarray | None = None
) -> np.ndarray:
    """Return (listeners,) folds 0..count-1, of even size within each source.

    Listeners of one group get the same fold, that of the group's first.
    """
    rng = np.random.default_rng([seed, 1])
    fold = np.zeros(len(source), np.int64)
    first = np.arange(len(source)) if group is None else group
    alone = first == np.arange(len(source))
    for origin in np.unique(source):
        members = np.flatnonzero((source == origin) & alone)
        fold[rng.permutation(members)] = np.arange(len(members)) % count
    return np.asarray(fold[first])


def cross_fit(
    data: TrainingData,
    fold: np.ndarray,
    *,
    seed: int = 0,
    align: Alignment | None = None,
    progress: Progress = silent,
) -> CrossFit:
    """Compute the features of all listeners, and of all listeners but each fold.

    A fold's listeners influence its features only through the common scale, the tags' basis and the
    rotation onto the full solution; they have no effect on the relations between artists. `align`
    rotates all features into an earlier basis.
    """
    factors = [job() for job in factor_jobs(data, fold, seed=seed, progress=progress)]
    return features_of_factors(data, fold, factors, seed=seed, align=align)


def factor_jobs(
    data: TrainingData, fold: np.ndarray, *, seed: int = 0, progress: Progress = silent
) -> list[Callable[[], np.ndarray]]:
    """Return the slow part of `cross_fit` as independent jobs, to be shared among processes.

    Each job returns factors (artists, FACTOR_DIM): the first of all listeners, the others of the
    listeners outside of fold 0, 1, ...
    """
    noise = _noise(data.keys, seed)
    jobs = 1 + (int(fold.max()) + 1 if len(fold) else 0)

    def solve(job: int) -> np.ndarray:
        def report(iteration: int) -> None:
            done = ALS_ITERATIONS * job + iteration
            progress(done / (ALS_ITERATIONS * jobs), "artist factors")

        weights = data.weights
        if job:
            others = (fold != job - 1).astype(np.float32)
            weights = sp.csr_matrix(sp.diags(others) @ weights)
            weights.eliminate_zeros()
        # All start from the same noise: the full solution would bring in the left-out fold.
        return als.als(weights, start=noise, iterations=ALS_ITERATIONS, on_iteration=report).artists

    return [partial(solve, job) for job in range(jobs)]


def features_of_factors(
    data: TrainingData,
    fold: np.ndarray,
    factors: Sequence[np.ndarray],
    *,
    seed: int = 0,
    align: Alignment | None = None,
) -> CrossFit:
    """Return the result of `cross_fit` from the results of its jobs."""
    full, *parts = factors
    mean_square = float(np.square(full).sum(1)[_is_played(data)].mean())
    scale = 1 / np.sqrt(max(1e-9, mean_square / FACTOR_DIM))
    kept_tags = _frequent_tags(data)
    everyone = np.ones(data.weights.shape[0], bool)
    space = None
    if len(kept_tags):
        counts = _tag_matrix(data, everyone, kept_tags)
        space = fit_tags(counts, [data.tags[t] for t in kept_tags], seed=seed)
    whole = _features(data, full, scale, everyone, kept_tags, space)
    if align is not None:
        full = full @ align(data.keys, whole)
        whole = _features(data, full, scale, everyone, kept_tags, space)
    per_fold = []
    for f, part in enumerate(parts):
        others = fold != f
        weight = np.minimum(_listeners_per_artist(data, others), RIDGE_CAP)
        rotated = part @ als.procrustes(part, full, weight)
        per_fold.append(_features(data, rotated, scale, others, kept_tags, space))
    return CrossFit(fold, whole, per_fold)


def _noise(keys: Sequence[str], seed: int) -> np.ndarray:
    """Return (artists, FACTOR_DIM) start values, drawn in the order of keys.

    The order of rows depends on the listeners; the order of keys doesn't.
    """
    drawn = np.random.default_rng(seed).standard_normal((len(keys), FACTOR_DIM)) * 0.01
    noise = np.empty_like(drawn, dtype=np.float32)
    noise[np.argsort(np.array(keys, dtype=str))] = drawn
    return noise


def _is_played(data: TrainingData) -> np.ndarray:
    return np.asarray(data.weights.getnnz(0)) > 0


def listeners_per_artist(data: TrainingData) -> np.ndarray:
    """Return (artists,) the number of listeners of each artist, weighted by source.

    Synthetic listeners drawn from charts don't count: nobody listened.
    """
    return _listeners_per_artist(data, data.kind != "chart")


def _listeners_per_artist(data: TrainingData, listeners: np.ndarray) -> np.ndarray:
    """The same among `listeners` (listeners,) bool."""
    ones = data.plays.copy()
    ones.data = np.ones_like(ones.data)
    return np.asarray((data.source_weight * listeners) @ ones, dtype=np.float32)


def _frequent_tags(data: TrainingData) -> np.ndarray:
    """Return the numbers of tags that enough listeners gave to enough artists."""
    if not len(data.taggings):
        return np.zeros(0, np.int64)
    listener, artist, tag = data.taggings.T
    width = len(data.tags)
    listeners = np.bincount(np.unique(listener * width + tag) % width, minlength=width)
    artists = np.bincount(np.unique(artist * width + tag) % width, minlength=width)
    return np.flatnonzero((listeners >= TAG_LISTENERS) & (artists >= TAG_ARTISTS))


def _tag_matrix(data: TrainingData, listeners: np.ndarray, kept_tags: np.ndarray) -> sp.csr_matrix:
    """Return (artists, kept tags) how often these listeners gave each tag."""
    column = np.full(len(data.tags), -1)
    column[kept_tags] = np.arange(len(kept_tags))
    listener, artist, tag = data.taggings.T
    use = listeners[listener] & (column[tag] >= 0)
    return sp.csr_matrix(
        (np.ones(use.sum(), np.float32), (artist[use], column[tag[use]])),
        shape=(len(data.keys), len(kept_tags)),
    )


def _features(
    data: TrainingData,
    factors: np.ndarray,
    scale: float,
    listeners: np.ndarray,
    kept_tags: np.ndarray,
    space: TagSpace | None,
) -> ArtistFeatures:
    """Build the encoder inputs from factors (artists, FACTOR_DIM) and these listeners' tags."""
    df = _listeners_per_artist(data, listeners)
    tags = np.zeros((len(df), TAGS.stop - TAGS.start), np.float32)
    if space is not None:
        tags = read_tags(space, _tag_matrix(data, listeners, kept_tags))
    content = np.concatenate([tags, data.static], axis=1)
    content_map = _fit_content_map(data.space, content, factors * scale, df)
    by_content = content_map.factors(content)
    y = np.where(df[:, None] > 0, factors, 0) * scale
    inputs = np.zeros((len(df), INPUT_WIDTH), np.float32)
    # The fewer listeners an artist has, the more the estimate from content counts.
    inputs[:, FACTOR] = (df[:, None] * y + PRIOR_LISTENERS * by_content) / (
        df[:, None] + PRIOR_LISTENERS
    )
    inputs[:, DF] = np.column_stack([np.log1p(df) / 2, df > 0, df < 2])
    inputs[:, CONTENT] = content
    prior = y[df > 0].T @ y[df > 0] + als.REG * scale**2 * np.eye(FACTOR_DIM)
    return ArtistFeatures(inputs, by_content, content_map, prior.astype(np.float32))


def _fit_content_map(
    space: ContentSpace, content: np.ndarray, factors: np.ndarray, df: np.ndarray
) -> ContentMap:
    """Fit the ridge from content to factors on artists with two listeners or more."""
    fitted = df >= 2
    if not fitted.any():
        fitted = df > 0
    mean = content[fitted].mean(0)
    std = np.maximum(content[fitted].std(0), 1e-2)
    coefficients = als.ridge(
        (content[fitted] - mean) / std,
        factors[fitted],
        np.minimum(df[fitted], RIDGE_CAP),
        RIDGE_ALPHA,
    )
    return ContentMap(space, mean, std, coefficients)
