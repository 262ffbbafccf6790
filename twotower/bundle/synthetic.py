"""Invented listeners, drawn from a trained space: nobody's listening, yet a crowd like a real one.

A taste is a jittered mixture of a few places where real listeners are; artists are drawn by how
well they fit it, their plays from the shape of real play counts. A listener that shares more than
half of its artists with one real listener is drawn again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from twotower.community.pseudonyms import FIRST_WORDS
from twotower.core.domain import SYNTHETIC, Artist, Profile
from twotower.model.catalogue import Catalogue
from twotower.model.play_matrix import unit_rows

MOST_SHARED = 0.5  # of an invented listener's artists, with any one real listener
FEWEST, LARGEST = 8, 400  # artists
SHARPNESS = (1.3, 2.6)  # how much an artist's fit counts, from listener to listener
CROWD = (0.5, 1.15)  # how much an artist's fame counts
BATCH = 256  # drawn at once
MOST_ROUNDS = 200  # of drawing those again who copy
Progress = Callable[[float, str], None]

SECOND = (
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
    """What a crowd's numbers look like: percentiles, for the model card."""

    artists: tuple[float, ...]  # profile sizes
    popularity: tuple[float, ...]  # catalogue rows of the artists
    similarity: tuple[float, ...]  # of random pairs


def invent(
    real: sp.csr_matrix,
    tastes: np.ndarray,
    artists: np.ndarray,
    catalogue: Catalogue,
    *,
    count: int = 5000,
    seed: int = 0,
    jitter: float = 0.35,
    progress: Progress | None = None,
) -> tuple[Profile, ...]:
    """`count` invented profiles, origin "invented", each with a pseudonym of its own.

    real     (n, artists) plays of the real listeners, for sizes, play shapes and the overlap rule
    tastes   (n, d) where each real listener is, in the space in which artists fit
    artists  (artists, d) the artists there, rows as in the catalogue; only played ones are drawn
    """
    rng = np.random.default_rng([seed, 3])
    names = pseudonyms(count, seed=seed)
    have = _zero_one(real)
    listeners = np.asarray(have.sum(0)).ravel()
    played = np.flatnonzero(listeners)
    fame = np.log(listeners[played])
    directions = unit_rows(artists[played])
    tastes = unit_rows(tastes)
    if len(played) < 2 * FEWEST:
        raise ValueError(f"{len(played)} played artists; inventing needs {2 * FEWEST}")
    sizes = np.clip(np.diff(have.indptr), FEWEST, min(LARGEST, len(played) // 2))
    wanted = rng.choice(sizes, count)
    found: dict[int, np.ndarray] = {}
    waiting = np.arange(count)
    rounds = 0
    while len(waiting):
        rounds += 1
        if rounds > MOST_ROUNDS + count // BATCH:
            raise ValueError(
                f"{len(waiting)} of {count} listeners would copy a real one at each draw: the "
                "real ones have too few artists to mix"
            )
        now, rest = waiting[:BATCH], waiting[BATCH:]
        fit = _mixtures(tastes, len(now), jitter, rng) @ directions.T  # (batch, played) cosines
        fit = (fit - fit.mean(1, keepdims=True)) / fit.std(1, keepdims=True)
        sharp, crowd = rng.uniform(*SHARPNESS, len(now)), rng.uniform(*CROWD, len(now))
        score = sharp[:, None] * fit + crowd[:, None] * fame
        noisy = score + rng.gumbel(size=score.shape)
        drawn = [
            rows[np.argsort(-score[at, rows] - rng.normal(0, 1.5, len(rows)))]
            for at in range(len(now))
            for rows in (np.argpartition(-noisy[at], wanted[now[at]])[: wanted[now[at]]],)
        ]
        share = _most_shared(have, [played[rows] for rows in drawn])
        again = []
        for at, person in enumerate(now):
            if share[at] <= MOST_SHARED:
                found[int(person)] = played[drawn[at]]
            else:
                again.append(person)
        waiting = np.concatenate([rest, np.array(again, dtype=rest.dtype)])
        if progress is not None:
            progress(len(found) / count, "inventing listeners")
    return tuple(
        _profile(names[at], found[at], f"i{seed}-{at:05d}", catalogue, rng) for at in range(count)
    )


def most_shared(profiles: Sequence[Profile], real: sp.csr_matrix, catalogue: Catalogue) -> float:
    """The largest share of one profile's artists that any one real listener also has."""
    rows = [np.array([catalogue.row_of[key] for key in p.artists]) for p in profiles]
    return float(_most_shared(_zero_one(real), rows).max())


def pseudonyms(count: int, *, seed: int = 0) -> list[str]:
    """Different names of two words; beyond all pairs a number follows."""
    rng = np.random.default_rng([seed, 4])
    pairs = len(FIRST_WORDS) * len(SECOND)
    order = rng.permutation(pairs)
    names = []
    for at in range(count):
        first, second = divmod(int(order[at % pairs]), len(SECOND))
        again = f" {at // pairs + 1}" if at >= pairs else ""
        names.append(f"{FIRST_WORDS[first]} {SECOND[second]}{again}")
    return names


def _mixtures(
    tastes: np.ndarray, count: int, jitter: float, rng: np.random.Generator
) -> np.ndarray:
    """(count, d) mixtures of 2 to 4 real places, unit vectors, the nearer ones more, with noise."""
    out = np.zeros((count, tastes.shape[1]), np.float32)
    for at in range(count):
        chosen = rng.choice(len(tastes), int(rng.integers(2, 5)), replace=False)
        near = tastes[chosen] @ tastes[chosen[0]]
        weight = rng.dirichlet(np.full(len(chosen), 0.5)) * np.exp(2 * near)
        mixed = weight @ tastes[chosen]
        noise = rng.standard_normal(len(mixed)) / np.sqrt(len(mixed))
        out[at] = mixed + jitter * np.linalg.norm(mixed) * noise
    return unit_rows(out)


def _most_shared(have: sp.csr_matrix, people: Sequence[np.ndarray]) -> np.ndarray:
    """(people,) the largest share of each one's artists that any one row of `have` has."""
    indptr = np.cumsum([0, *(len(rows) for rows in people)])
    indices = np.concatenate(people)
    shape = (len(people), have.shape[1])
    mine = sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=shape)
    together = (mine @ have.T).max(axis=1).toarray().ravel()
    return np.asarray(together / np.diff(indptr))


def _zero_one(plays: sp.csr_matrix) -> sp.csr_matrix:
    have = plays.copy()
    have.data = np.ones_like(have.data)
    return have


def _profile(
    name: str, rows: np.ndarray, id: str, catalogue: Catalogue, rng: np.random.Generator
) -> Profile:
    """Plays fall along the ranks as a noisy power law, as real play counts do."""
    top = np.exp(rng.normal(6.3, 1.1))
    falls = rng.uniform(0.5, 1.1)
    plays = top / np.arange(1, len(rows) + 1) ** falls * np.exp(rng.normal(0, 0.25, len(rows)))
    artists = {
        catalogue.keys[row]: Artist(catalogue.names[row], float(max(1, round(count))))
        for row, count in zip(rows, plays, strict=True)
    }
    return Profile(id=id, artists=artists, origin=SYNTHETIC, name=name)
