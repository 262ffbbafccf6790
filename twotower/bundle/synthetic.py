"""Synthetic listeners, drawn from a trained space: realistic, but of no real person.

A listener's taste is a noisy mixture of a few real listeners' tastes. Artists are drawn by how well
they fit it, and play counts follow a power law. A listener with more than half of the artists of
one real listener is drawn again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from twotower.community.pseudonyms import FIRST_WORDS
from twotower.core.domain import SYNTHETIC, Artist, Profile
from twotower.core.jobs import Progress, silent
from twotower.model.catalogue import Catalogue
from twotower.model.play_matrix import unit_rows

MAX_SHARED = 0.5  # share of a synthetic listener's artists that one real listener may have
MIN_ARTISTS, MAX_ARTISTS = 8, 400  # in a profile
FIT_WEIGHT = (1.3, 2.6)  # weight of an artist's fit to the taste, drawn for each listener
POPULARITY_WEIGHT = (0.5, 1.15)  # weight of an artist's popularity, drawn for each listener
TASTE_NOISE = 0.35  # length of the noise, relative to the mixture
ORDER_NOISE = 1.5  # standard deviation of the noise in the order of a listener's artists
BATCH = 256  # listeners drawn at once
MAX_ROUNDS = 200  # of drawing listeners again

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


@dataclass(frozen=True)
class Shape:
    """Percentiles that describe a set of listeners, for the model card."""

    artists: tuple[float, ...]  # artists in a profile
    popularity: tuple[float, ...]  # popularity ranks of the artists
    similarity: tuple[float, ...]  # of random pairs


def generate_listeners(
    real: sp.csr_matrix,
    tastes: np.ndarray,
    artists: np.ndarray,
    catalogue: Catalogue,
    *,
    count: int = 5000,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Profile, ...]:
    """Return `count` synthetic profiles, each with a pseudonym of its own.

    real     (n, artists) plays of the real listeners
    tastes   (n, d) their positions in the space of the artists
    artists  (artists, d) artist vectors, rows as in the catalogue; only played ones are drawn

    Raises ValueError if the real listeners have too few artists.
    """
    rng = np.random.default_rng([seed, 3])
    names = pseudonyms(count, seed=seed)
    sampler = _Sampler.of(real, tastes, artists)
    sizes = rng.choice(sampler.sizes, count)
    rows: dict[int, np.ndarray] = {}  # listener -> catalogue rows, best known first
    waiting = np.arange(count)
    for _ in range(MAX_ROUNDS + count // BATCH):
        if not len(waiting):
            break
        batch, rest = waiting[:BATCH], waiting[BATCH:]
        drawn = sampler.draw(sizes[batch], rng)
        is_copy = _largest_shares(sampler.plays, drawn) > MAX_SHARED
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
    return tuple(
        _profile(names[n], rows[n], f"i{seed}-{n:05d}", catalogue, rng) for n in range(count)
    )


@dataclass(frozen=True)
class _Sampler:
    """Draws the artists of synthetic listeners."""

    plays: sp.csr_matrix  # (n, artists) 1 if a real listener plays the artist
    sizes: np.ndarray  # (n,) artists of the real listeners, within limits
    tastes: np.ndarray  # (n, d) unit vectors
    played: np.ndarray  # (p,) catalogue rows of the artists that real listeners play
    directions: np.ndarray  # (p, d) their unit vectors
    popularity: np.ndarray  # (p,) log of their listeners

    @classmethod
    def of(cls, real: sp.csr_matrix, tastes: np.ndarray, artists: np.ndarray) -> "_Sampler":
        plays = _zero_one(real)
        listeners = np.asarray(plays.sum(0)).ravel()
        played = np.flatnonzero(listeners)
        if len(played) < 2 * MIN_ARTISTS:
            raise ValueError(
                f"{len(played)} played artists; generating listeners needs {2 * MIN_ARTISTS}"
            )
        most = min(MAX_ARTISTS, len(played) // 2)
        return cls(
            plays,
            np.clip(np.diff(plays.indptr), MIN_ARTISTS, most),
            unit_rows(tastes),
            played,
            unit_rows(artists[played]),
            np.log(listeners[played]),
        )

    def draw(self, sizes: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the catalogue rows of one listener for each size, most played first.

        Adding Gumbel noise to the scores draws without replacement by their softmax.
        """
        count = len(sizes)
        fit = _mixed_tastes(self.tastes, count, rng) @ self.directions.T  # (count, p) cosines
        fit = (fit - fit.mean(1, keepdims=True)) / fit.std(1, keepdims=True)
        fit_weight = rng.uniform(*FIT_WEIGHT, count)
        popularity_weight = rng.uniform(*POPULARITY_WEIGHT, count)
        scores = fit_weight[:, None] * fit + popularity_weight[:, None] * self.popularity
        noisy = scores + rng.gumbel(size=scores.shape)
        drawn = []
        for row, size in enumerate(sizes):
            columns = np.argpartition(-noisy[row], size)[:size]
            order = np.argsort(-scores[row, columns] - rng.normal(0, ORDER_NOISE, size))
            drawn.append(self.played[columns[order]])
        return drawn


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


def _mixed_tastes(tastes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return (count, d) unit vectors: noisy mixtures of 2 to 4 real tastes.

    Tastes near the first one weigh more.
    """
    out = np.zeros((count, tastes.shape[1]), np.float32)
    for row in range(count):
        chosen = rng.choice(len(tastes), int(rng.integers(2, 5)), replace=False)
        near = tastes[chosen] @ tastes[chosen[0]]
        weight = rng.dirichlet(np.full(len(chosen), 0.5)) * np.exp(2 * near)
        mixed = weight @ tastes[chosen]
        noise = rng.standard_normal(len(mixed)) / np.sqrt(len(mixed))
        out[row] = mixed + TASTE_NOISE * np.linalg.norm(mixed) * noise
    return unit_rows(out)


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
