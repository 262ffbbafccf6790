"""Synthetic listeners, drawn from a trained space: realistic, but of no real person.

A listener's taste is a noisy mixture of a few real listeners' tastes. Artists are drawn by how well
they fit it, and play counts follow a power law. A listener with more than half of the artists of
one real listener is drawn again. "Real" are listeners, lists, and the synthetic listeners drawn
from charts; `mixture` says how often each is drawn.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import scipy.sparse as sp

from twotower.community.pseudonyms import FIRST_WORDS
from twotower.core.domain import SYNTHETIC, Artist, Profile
from twotower.core.jobs import Progress, silent
from twotower.model.catalogue import Catalogue
from twotower.model.play_matrix import unit_rows
from twotower.sources.datasets.source_weight import Kind

MAX_SHARED = 0.5  # share of a synthetic listener's artists that one real listener may have
MIN_ARTISTS, MAX_ARTISTS = 20, 400  # in a profile; fewer share too little with anyone
FIT_WEIGHT = (1.5, 2.8)  # weight of an artist's fit to the taste, drawn for each listener
POPULARITY_WEIGHT = (0.5, 1.15)  # weight of an artist's popularity, drawn for each listener
MAX_MIXED = 4  # tastes in a mixture, two at least
TASTE_NOISE = 0.35  # length of the noise, relative to the mixture
ORDER_NOISE = 1.5  # standard deviation of the noise in the order of a listener's artists
TINY = 1e-12  # keeps the logarithm of an exponential draw finite
BATCH = 256  # listeners drawn at once
MAX_ROUNDS = 200  # of drawing listeners again
# Share of the synthetic listeners whose main taste comes from each kind of profile.
KIND_SHARES: Mapping[Kind, float] = MappingProxyType(
    {"listener": 0.3, "playlist": 0.15, "list": 0.35, "chart": 0.2}
)

SECOND_WORDS = (
    "Albatross", "Antelope", "Badger", "Bat", "Bear", "Beaver", "Bee", "Beetle", "Bison",
    "Blackbird", "Bobcat", "Buffalo", "Butterfly", "Camel", "Caribou", "Carp", "Cat", "Cheetah",
    "Cicada", "Clam", "Condor", "Coyote", "Crab", "Crane", "Cricket", "Crow", "Curlew", "Deer",
    "Dingo", "Dolphin", "Dove", "Dragonfly", "Duck", "Eagle", "Egret", "Elk", "Ermine", "Falcon",
    "Ferret", "Finch", "Firefly", "Flamingo", "Fox", "Frog", "Gazelle", "Gecko", "Gibbon", "Goat",
    "Goose", "Grebe", "Grouse", "Gull", "Hare", "Hawk", "Hedgehog", "Heron", "Hippo", "Hornet",
    "Horse", "Ibex", "Ibis", "Iguana", "Jackal", "Jackdaw", "Jaguar", "Jay", "Kestrel",
    "Kingfisher", "Kite", "Kiwi", "Koala", "Lark", "Lemming", "Lemur", "Leopard", "Linnet",
    "Lion", "Lizard", "Llama", "Lobster", "Loon", "Lynx", "Magpie", "Mallard", "Manatee",
    "Marmot", "Marten", "Mole", "Mongoose", "Moose", "Moth", "Mouse", "Narwhal", "Newt",
    "Nightjar", "Ocelot", "Octopus", "Oriole", "Osprey", "Otter", "Owl", "Panda", "Panther",
    "Parrot", "Pelican", "Penguin", "Petrel", "Pheasant", "Pigeon", "Pika", "Pike", "Plover",
    "Porcupine", "Puffin", "Puma", "Quail", "Rabbit", "Raccoon", "Raven", "Robin", "Salmon",
    "Sandpiper", "Seal", "Shrew", "Skylark", "Snail", "Sparrow", "Squid", "Squirrel", "Starling",
    "Stoat", "Stork", "Swallow", "Swan", "Tapir", "Tern", "Thrush", "Tiger", "Toad", "Tortoise",
    "Trout", "Turtle", "Viper", "Vole", "Walrus", "Warbler", "Weasel", "Whale", "Wolf", "Wombat",
    "Wren", "Yak", "Zebra",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Generated:
    """Synthetic profiles, and the real one that each takes most of its taste and its size from."""

    profiles: tuple[Profile, ...]
    main: np.ndarray  # (n,) rows of the real listeners


def mixture(kinds: Sequence[Kind]) -> np.ndarray:
    """Return (n,) how often each real listener of these kinds is drawn, with a sum of one.

    A kind has its share (KIND_SHARES), however many listeners it has; the shares of absent kinds
    go to the others.
    """
    counts = Counter(kinds)
    weights = np.array([KIND_SHARES[kind] / counts[kind] for kind in kinds])
    return np.asarray(weights / weights.sum())


def generate_listeners(
    real: sp.csr_matrix,
    tastes: np.ndarray,
    artists: np.ndarray,
    catalogue: Catalogue,
    *,
    weights: np.ndarray | None = None,
    others: sp.csr_matrix | None = None,
    count: int = 10_000,
    seed: int = 0,
    progress: Progress = silent,
) -> Generated:
    """Return `count` synthetic profiles, each with a pseudonym of its own.

    real     (n, artists) plays of the real listeners
    tastes   (n, d) their positions in the space of the artists
    artists  (artists, d) artist vectors, rows as in the catalogue; only played ones are drawn
    weights  (n,) how often each real listener is drawn, as from `mixture`; equally without it
    others   (m, artists) plays of real listeners who aren't drawn but mustn't be resembled either

    Raises ValueError if the real listeners have too few artists.
    """
    rng = np.random.default_rng([seed, 3])
    names = pseudonyms(count, seed=seed)
    sampler = _Sampler.of(real, tastes, artists, weights)
    everyone = sampler.plays if others is None else sp.vstack([sampler.plays, _zero_one(others)])
    main = rng.choice(len(tastes), count, p=sampler.weights)
    rows: dict[int, np.ndarray] = {}  # listener -> catalogue rows, best known first
    waiting = np.arange(count)
    for _ in range(MAX_ROUNDS + count // BATCH):
        if not len(waiting):
            break
        batch, rest = waiting[:BATCH], waiting[BATCH:]
        drawn = sampler.draw(main[batch], rng)
        is_copy = _largest_shares(everyone, drawn) > MAX_SHARED
        rows |= {
            int(listener): artist_rows
            for listener, artist_rows, copy in zip(batch, drawn, is_copy, strict=True)
            if not copy
        }
        waiting = np.concatenate([rest, batch[is_copy]])
        progress(len(rows) / count, "generating listeners")
    if len(waiting):
        raise ValueError(
            f"{len(waiting)} of {count} listeners share too many artists with a real one in every "
            "draw: the real listeners have too few artists to mix"
        )
    profiles = (
        _profile(names[n], rows[n], f"i{seed}-{n:05d}", catalogue, rng) for n in range(count)
    )
    return Generated(tuple(profiles), main)


@dataclass(frozen=True)
class _Sampler:
    """Draws the artists of synthetic listeners."""

    plays: sp.csr_matrix  # (n, artists) 1 if a real listener plays the artist
    sizes: np.ndarray  # (n,) artists of the real listeners, within limits
    tastes: np.ndarray  # (n, d) unit vectors
    weights: np.ndarray  # (n,) how often each taste is drawn, summing to one
    played: np.ndarray  # (p,) catalogue rows of the artists that drawn listeners play
    directions: np.ndarray  # (p, d) float32, their unit vectors
    popularity: np.ndarray  # (p,) float32, log of their listeners, each counted by its weight

    @classmethod
    def of(
        cls,
        real: sp.csr_matrix,
        tastes: np.ndarray,
        artists: np.ndarray,
        weights: np.ndarray | None,
    ) -> "_Sampler":
        plays = _zero_one(real)
        if weights is None:
            weights = np.full(len(tastes), 1 / len(tastes))
        listeners = len(tastes) * np.asarray(plays.T @ weights).ravel()
        played = np.flatnonzero(listeners)
        if len(played) < 2 * MIN_ARTISTS:
            raise ValueError(
                f"{len(played)} played artists; generating listeners needs {2 * MIN_ARTISTS}"
            )
        most = min(MAX_ARTISTS, len(played) // 2)
        return cls(
            plays,
            np.clip(np.diff(plays.indptr), MIN_ARTISTS, most),
            unit_rows(tastes).astype(np.float32),
            weights,
            played,
            unit_rows(artists[played]).astype(np.float32),
            np.log(listeners[played]).astype(np.float32),
        )

    def draw(self, main: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the catalogue rows of one listener for each main taste, most played first.

        Adding Gumbel noise to the scores draws without replacement by their softmax.
        """
        count = len(main)
        fit = self._mixed_tastes(main, rng) @ self.directions.T  # (count, p) cosines
        fit = (fit - fit.mean(1, keepdims=True)) / fit.std(1, keepdims=True)
        fit_weight = rng.uniform(*FIT_WEIGHT, (count, 1)).astype(np.float32)
        popularity_weight = rng.uniform(*POPULARITY_WEIGHT, (count, 1)).astype(np.float32)
        scores = fit_weight * fit + popularity_weight * self.popularity
        noisy = scores - np.log(rng.standard_exponential(scores.shape, np.float32) + TINY)
        drawn = []
        for row, size in enumerate(self.sizes[main]):
            columns = np.argpartition(-noisy[row], size)[:size]
            order = np.argsort(-scores[row, columns] - rng.normal(0, ORDER_NOISE, size))
            drawn.append(self.played[columns[order]])
        return drawn

    def _mixed_tastes(self, main: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return (count, d) float32 unit vectors: noisy mixtures of each main taste and 1 to 3.

        Tastes near the main one weigh more.
        """
        others = rng.choice(len(self.tastes), (len(main), MAX_MIXED - 1), p=self.weights)
        mixed = np.zeros((len(main), self.tastes.shape[1]), np.float32)
        for row, first in enumerate(main):
            chosen = np.append(first, others[row, : rng.integers(1, MAX_MIXED)])
            near = self.tastes[chosen] @ self.tastes[first]
            weight = rng.dirichlet(np.full(len(chosen), 0.5)) * np.exp(2 * near)
            mixed[row] = weight @ self.tastes[chosen]
        noise = rng.standard_normal(mixed.shape, np.float32) / np.sqrt(mixed.shape[1])
        mixed += TASTE_NOISE * np.linalg.norm(mixed, axis=1, keepdims=True) * noise
        return unit_rows(mixed)


def largest_share(profiles: Sequence[Profile], real: sp.csr_matrix, catalogue: Catalogue) -> float:
    """Return the largest share of any profile's artists that one real listener has, too."""
    rows = [np.array([catalogue.row_of[key] for key in p.artists]) for p in profiles]
    return float(_largest_shares(_zero_one(real), rows).max())


def pseudonyms(count: int, *, seed: int = 0) -> list[str]:
    """Return different names of two words, with a number once all pairs are used."""
    rng = np.random.default_rng([seed, 4])
    pairs = len(FIRST_WORDS) * len(SECOND_WORDS)
    order = rng.permutation(pairs)
    names = []
    for n in range(count):
        first, second = divmod(int(order[n % pairs]), len(SECOND_WORDS))
        number = f" {n // pairs + 1}" if n >= pairs else ""
        names.append(f"{FIRST_WORDS[first]} {SECOND_WORDS[second]}{number}")
    return names


def _largest_shares(plays: sp.csr_matrix, people: Sequence[np.ndarray]) -> np.ndarray:
    """Return (people,) the largest share of each one's artists that any row of `plays` has."""
    indptr = np.cumsum([0, *(len(rows) for rows in people)])
    indices = np.concatenate(people)
    shape = (len(people), plays.shape[1])
    own = sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=shape)
    shared = (own @ plays.T).max(axis=1).toarray().ravel()
    return np.asarray(shared / np.diff(indptr))


def _zero_one(plays: sp.csr_matrix) -> sp.csr_matrix:
    """Return the matrix with every stored value set to one."""
    ones = plays.copy()
    ones.data = np.ones_like(ones.data)
    return ones


def _profile(
    name: str, rows: np.ndarray, id: str, catalogue: Catalogue, rng: np.random.Generator
) -> Profile:
    """Return a profile of these artists, with plays that fall as a noisy power law of the rank."""
    top = np.exp(rng.normal(6.3, 1.1))
    exponent = rng.uniform(0.5, 1.1)
    plays = top / np.arange(1, len(rows) + 1) ** exponent * np.exp(rng.normal(0, 0.25, len(rows)))
    artists = {
        catalogue.keys[row]: Artist(catalogue.names[row], float(max(1, round(count))))
        for row, count in zip(rows, plays, strict=True)
    }
    return Profile(id=id, artists=artists, origin=SYNTHETIC, name=name)
