"""Calibration of the band of a match, on listeners that the model never saw.

Each listener is cut to a few artists. The band of the cut profile's matches should hold the whole
profile's match in 80 % of pairs. The band is fitted on one half of the listeners and measured on
the other, and the other way round. `retrieval.band` has the method.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np

from twotower.core.domain import Profile
from twotower.core.jobs import Progress, silent
from twotower.evaluation.data import cut_random, cut_to_most_played
from twotower.evaluation.report import Row
from twotower.model.confidence import MIN_DIMENSIONS
from twotower.model.embedder import Embedder
from twotower.retrieval.band import CLASSES, MAX_DIMENSIONS, Band, fit_band
from twotower.retrieval.similarity import (
    RERANKED,
    ListenerBatch,
    hub_corrected,
    local_density,
    similarity,
)

CHECK = "calibration"
METHOD = "band"
RANDOM, MOST_PLAYED = "random", "most played"
CUTS = (
    *((RANDOM, artists) for artists in (3, 5, 10, 20, 40)),
    *((MOST_PLAYED, artists) for artists in (5, 10, 20, 40)),
)
MIN_LEFT_OUT = 1.25  # artists of a whole profile, per artist of the cut one
PARTNERS = ("ten shown", "ranks 11 to 200", "random people")
SHOWN, LATER, ANYONE = 10, 20, 10  # partners of each kind for one cut profile
RIGHT = (0.75, 0.85)  # coverage of a band of 80 %
MIN_LISTENERS = 20  # in a class of dimensions, to judge its coverage
BLOCK = 64  # listeners compared with everyone at once

Groups = Mapping[str, Sequence[Profile]]  # name of a source -> its held-out listeners


@dataclass(frozen=True, eq=False)
class Pairs:
    """N pairs of a cut profile and a member of a community; row i of every array is one pair."""

    matches: np.ndarray  # (N,) of the cut profile
    truth: np.ndarray  # (N,) of the whole profile
    dimensions: np.ndarray  # (N,) effective dimensions of the cut profile
    source: np.ndarray  # (N,) index of the group
    listener: np.ndarray  # (N,) number of the listener, over all groups
    cut: np.ndarray  # (N,) index in CUTS
    partner: np.ndarray  # (N,) index in PARTNERS

    def __len__(self) -> int:
        return len(self.matches)

    def select(self, rows: np.ndarray) -> "Pairs":
        """Return these pairs; `rows` are indices or a mask."""
        return Pairs(*(getattr(self, each.name)[rows] for each in fields(self)))

    @classmethod
    def concat(cls, parts: Sequence["Pairs"]) -> "Pairs":
        """Return the pairs of all parts, in their order; at least one."""
        columns = [[getattr(part, each.name) for part in parts] for each in fields(cls)]
        return cls(*map(np.concatenate, columns))


@dataclass(frozen=True, eq=False)
class Crowd:
    """The members of a community that cut profiles are compared with."""

    people: ListenerBatch
    density: np.ndarray  # (n,)

    @classmethod
    def of(cls, embedder: Embedder, profiles: Sequence[Profile]) -> "Crowd":
        """Embed the members and compute their local densities."""
        people = ListenerBatch.of(embedder, profiles)
        density = []
        for start in range(0, len(people), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(people)))
            is_other = np.arange(len(people)) != rows[:, None]
            density.append(local_density(similarity(people.select(rows), people), is_other))
        return cls(people, np.concatenate(density))

    def matches(self, embedder: Embedder, profiles: Sequence[Profile]) -> np.ndarray:
        """Return the matches (Q, n) of profiles that are no members."""
        scores = similarity(ListenerBatch.of(embedder, profiles), self.people)
        return hub_corrected(scores, local_density(scores), self.density)


def draw_pairs(
    embedder: Embedder,
    groups: Groups,
    crowd: Crowd,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Pairs:
    """Cut the held-out listeners in all ways, and compare each with 40 members of the crowd."""
    parts: list[Pairs] = []
    first = 0
    for number, listeners in enumerate(groups.values()):
        for start in range(0, len(listeners), BLOCK):
            block = listeners[start : start + BLOCK]
            progress((number + start / len(listeners)) / len(groups), "comparing")
            parts += _block_pairs(embedder, block, crowd, number, first + start, seed)
        first += len(listeners)
    return Pairs.concat(parts)


def _block_pairs(
    embedder: Embedder,
    listeners: Sequence[Profile],
    crowd: Crowd,
    source: int,
    first: int,
    seed: int,
) -> Iterator[Pairs]:
    """Yield the pairs of each way to cut the listeners, who have the numbers from `first` on."""
    truth = crowd.matches(embedder, listeners)  # (Q, n)
    for number, (way, artists) in enumerate(CUTS):
        able = [
            row
            for row, profile in enumerate(listeners)
            if len(profile.artists) >= MIN_LEFT_OUT * artists
        ]
        whole = [listeners[row] for row in able]
        if way == RANDOM:
            cut = cut_random(whole, artists, seed)
        else:
            cut = cut_to_most_played(whole, artists)
        able = [row for row, profile in zip(able, cut, strict=True) if embedder.knows(profile)]
        cut = [profile for profile in cut if embedder.knows(profile)]
        if not cut:
            continue
        matches = crowd.matches(embedder, cut)
        dimensions = embedder.effective_dimensions(cut)
        for row, of_cut, known in zip(able, matches, dimensions, strict=True):
            rng = np.random.default_rng([seed, first + row, number])
            people, kinds = _choose_partners(of_cut, rng)
            count = len(people)
            yield Pairs(
                of_cut[people].astype(float),
                truth[row, people].astype(float),
                np.full(count, known),
                np.full(count, source),
                np.full(count, first + row),
                np.full(count, number),
                kinds,
            )


def _choose_partners(
    matches: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and kinds of members: the ten shown, some of the next, and anyone."""
    order = np.argsort(-matches, kind="stable")
    shown, next_ones = order[:SHOWN], order[SHOWN:RERANKED]
    later = rng.choice(next_ones, min(LATER, len(next_ones)), replace=False)
    anyone = rng.choice(len(matches), min(ANYONE, len(matches)), replace=False)
    chosen = (shown, later, anyone)
    kinds = np.repeat(np.arange(len(PARTNERS)), [len(each) for each in chosen])
    return np.concatenate(chosen), kinds


@dataclass(frozen=True, eq=False)
class Calibration:
    """A band with its coverage of pairs that it was not fitted on."""

    band: Band  # fitted on all listeners; classes that miss are hidden
    sources: tuple[str, ...]
    pairs: Pairs
    is_covered: np.ndarray  # (N,) bool, by the band of the other half of the listeners
    width: np.ndarray  # (N,) of that band

    def rows(self, split: int) -> Iterator[Row]:
        """Yield the coverage of each group of pairs, and the mean width of its band."""
        for check, mask in self._groups():
            for kind, name in enumerate(PARTNERS):
                yield from self._rows(check, name, mask & (self.pairs.partner == kind), split)

    def _groups(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield labels and masks (N,): sources by artists, by class of dimensions, and all."""
        pairs = self.pairs
        for number, source in enumerate(self.sources):
            own = pairs.source == number
            for at, (way, artists) in enumerate(CUTS):
                yield f"{CHECK}, {source}, {way} {artists}", own & (pairs.cut == at)
            for low, high in pairwise(CLASSES):
                yield (
                    f"{CHECK}, {source}, {class_name(low, high)}",
                    own & _in_class(pairs, low, high),
                )
            yield f"{CHECK}, {source}, all with a band", own & self._has_band()
        yield f"{CHECK}, all with a band", self._has_band()

    def _has_band(self) -> np.ndarray:
        shown = (self.pairs.dimensions >= MIN_DIMENSIONS) & (
            self.pairs.dimensions <= MAX_DIMENSIONS
        )
        for low, high in self.band.hidden:
            shown &= ~_in_class(self.pairs, low, high)
        return np.asarray(shown)

    def _rows(self, check: str, name: str, mask: np.ndarray, split: int) -> Iterator[Row]:
        listeners = len(np.unique(self.pairs.listener[mask]))
        if listeners:
            values = {
                f"coverage of {name}": float(self.is_covered[mask].mean()),
                f"width for {name}": float(self.width[mask].mean()),
            }
            for metric, value in values.items():
                yield Row(check, METHOD, split, metric, value, listeners)


def class_name(low: float, high: float) -> str:
    """Return the label of a class of dimensions."""
    return f"{low:g} to {high:g} dimensions"


def calibrate(pairs: Pairs, sources: Sequence[str], *, fitted_with: str) -> Calibration:
    """Fit the band on each half of the listeners, and measure it on the other half.

    The band that comes back is fitted on both; it is hidden in each class of dimensions in which
    the coverage of the ten shown is not within RIGHT.
    """
    is_first = np.array([in_first_half(number) for number in range(int(pairs.listener.max()) + 1)])
    covered, width = np.zeros(len(pairs), bool), np.zeros(len(pairs))
    for half in (True, False):
        here = is_first[pairs.listener] == half
        band = _fit(pairs.select(~here), fitted_with)
        ends = _ends(band, pairs.select(here))  # (2, n)
        truth = pairs.truth[here]
        covered[here] = (ends[0] <= truth) & (truth <= ends[1])
        width[here] = ends[1] - ends[0]
    hidden = tuple(
        (low, high)
        for low, high in pairwise(CLASSES)
        if low >= MIN_DIMENSIONS and not _is_right(pairs, covered, low, high)
    )
    band = replace(_fit(pairs, fitted_with), hidden=hidden)
    return Calibration(band, tuple(sources), pairs, covered, width)


def _fit(pairs: Pairs, fitted_with: str) -> Band:
    return fit_band(pairs.matches, pairs.dimensions, pairs.truth, fitted_with=fitted_with)


def _ends(band: Band, pairs: Pairs) -> np.ndarray:
    """Return (2, n) both ends of the band of each pair; pairs of one cut profile go together."""
    ends = np.zeros((2, len(pairs)))
    for dimensions in np.unique(pairs.dimensions):
        here = pairs.dimensions == dimensions
        ends[:, here] = band.quantiles(pairs.matches[here], float(dimensions))[[0, 2]]
    return ends


def _in_class(pairs: Pairs, low: float, high: float) -> np.ndarray:
    return np.asarray((low <= pairs.dimensions) & (pairs.dimensions < high))


def _is_right(pairs: Pairs, covered: np.ndarray, low: float, high: float) -> bool:
    """Return whether the band is right for the ten shown in a class; True if too few are in it."""
    here = _in_class(pairs, low, high) & (pairs.partner == 0)
    if len(np.unique(pairs.listener[here])) < MIN_LISTENERS:
        return True
    return bool(RIGHT[0] <= covered[here].mean() <= RIGHT[1])


def in_first_half(listener: int) -> bool:
    """Return whether a listener, by number, is in the first half; a hash decides."""
    return hashlib.sha256(f"calibration:{listener}".encode()).digest()[0] % 2 == 0
