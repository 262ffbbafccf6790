"""Invented listeners, drawn from a trained space: nobody's listening, yet a crowd like a real one.

A taste is a jittered mixture of a few places where real listeners are; artists are drawn by how
well they fit it, their plays from the shape of real play counts. A listener that shares more than
half of its artists with one real listener is drawn again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from twotower.catalogue import Catalogue
from twotower.domain import Artist, Profile

MOST_SHARED = 0.5  # of an invented listener's artists, with any one real listener
Progress = Callable[[float, str], None]

FIRST = (
    "Amber", "Ancient", "Arctic", "Autumn", "Azure", "Blue", "Bold", "Brass", "Bright", "Broken",
    "Calm", "Candle", "Cedar", "Chalk", "Cinder", "Clear", "Cobalt", "Copper", "Coral", "Cotton",
    "Crimson", "Crystal", "Dawn", "Desert", "Distant", "Dusty", "Early", "Echo", "Electric",
    "Ember", "Evening", "Faded", "Fern", "Fickle", "First", "Flint", "Floating", "Foggy", "Frost",
    "Gentle", "Ginger", "Glass", "Golden", "Granite", "Green", "Harbour", "Hazel", "Hidden",
    "Hollow", "Honey", "Humble", "Indigo", "Iron", "Ivory", "Jade", "Juniper", "Kind", "Lantern",
    "Late", "Lemon", "Lilac", "Little", "Lively", "Lone", "Loud", "Lucky", "Lunar", "Maple",
    "Marble", "Meadow", "Mellow", "Midnight", "Mint", "Misty", "Modest", "Mossy", "Neon",
    "Nimble", "Noble", "Northern", "Oaken", "Ochre", "Olive", "Opal", "Orange", "Outer", "Pale",
    "Paper", "Patient", "Pearl", "Pepper", "Pine", "Plain", "Polar", "Proud", "Quiet", "Rainy",
    "Rapid", "Restless", "River", "Rosy", "Ruby", "Rusty", "Saffron", "Salty", "Sandy", "Scarlet",
    "Secret", "Silent", "Silver", "Sleepy", "Slow", "Smoky", "Snowy", "Solar", "Southern",
    "Spring", "Steady", "Still", "Stormy", "Summer", "Sunday", "Sunny", "Swift", "Tender",
    "Thunder", "Tidal", "Timber", "Tin", "Tiny", "Twilight", "Umber", "Upper", "Velvet", "Violet",
    "Walnut", "Wandering", "Warm", "Western", "White", "Wild", "Willow", "Winter", "Wise",
    "Wooden", "Yellow", "Young", "Zephyr",
)  # fmt: skip
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
    temperature: float = 0.16,
    progress: Progress | None = None,
) -> tuple[Profile, ...]:
    """`count` invented profiles, origin "invented", each with a pseudonym of its own.

    real     (n, artists) plays of the real listeners, for sizes, play shapes and the overlap rule
    tastes   (n, d) where each real listener is, in the space in which artists fit
    artists  (artists, d) the artists there, rows as in the catalogue; only played ones are drawn
    """
    rng = np.random.default_rng([seed, 3])
    names = pseudonyms(count, seed=seed)
    have = real.copy()
    have.data = np.ones_like(have.data)
    played = np.asarray(have.sum(0)).ravel()
    fame = np.log(played + 0.5)
    sizes = np.diff(have.indptr)
    norms = np.linalg.norm(tastes, axis=1)
    people: list[Profile] = []
    while len(people) < count:
        batch = min(256, count - len(people))
        mixed, spread = _mixtures(tastes, batch, jitter, norms, rng)
        scores = mixed @ artists.T  # (batch, artists)
        scores = (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)
        scores = scores * spread[:, None] + temperature * 4 * fame
        noisy = scores + rng.gumbel(size=scores.shape)
        noisy[:, played == 0] = -np.inf
        wanted = np.clip(rng.choice(sizes, batch), 5, 400)
        for at in range(batch):
            size = int(wanted[at])
            rows = np.argpartition(-noisy[at], size)[:size]
            rows = rows[np.argsort(-scores[at, rows] - rng.normal(0, 1.5, size))]
            if _shared(have, rows) > MOST_SHARED:
                continue
            people.append(_profile(names[len(people)], rows, len(people), seed, catalogue, rng))
        if progress is not None:
            progress(len(people) / count, "invented listeners")
    return tuple(people)


def most_shared(profiles: Sequence[Profile], real: sp.csr_matrix, catalogue: Catalogue) -> float:
    """The largest share of one profile's artists that any one real listener also has."""
    have = real.copy()
    have.data = np.ones_like(have.data)
    rows = [[catalogue.row_of[key] for key in p.artists] for p in profiles]
    return max(_shared(have, np.array(r)) for r in rows)


def pseudonyms(count: int, *, seed: int = 0) -> list[str]:
    """Different names of two words; beyond all pairs a number follows."""
    rng = np.random.default_rng([seed, 4])
    pairs = len(FIRST) * len(SECOND)
    order = rng.permutation(pairs)
    names = []
    for at in range(count):
        first, second = divmod(int(order[at % pairs]), len(SECOND))
        again = f" {at // pairs + 1}" if at >= pairs else ""
        names.append(f"{FIRST[first]} {SECOND[second]}{again}")
    return names


def _mixtures(
    tastes: np.ndarray, count: int, jitter: float, norms: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(count, d) mixtures of 2 to 4 places with noise, and how sharply each one chooses."""
    out = np.zeros((count, tastes.shape[1]), np.float32)
    for at in range(count):
        chosen = rng.choice(len(tastes), int(rng.integers(2, 5)), replace=False)
        # a first taste near which the others are looked for, so that mixtures make sense
        near = tastes[chosen] @ tastes[chosen[0]] / (norms[chosen] * norms[chosen[0]])
        weight = rng.dirichlet(np.full(len(chosen), 0.6)) * np.exp(2 * near)
        mixed = (weight / weight.sum()) @ tastes[chosen]
        noise = rng.standard_normal(tastes.shape[1]) * np.linalg.norm(mixed)
        out[at] = mixed + jitter * noise / np.sqrt(tastes.shape[1])
    return out, rng.uniform(1.6, 3.0, count)


def _shared(have: sp.csr_matrix, rows: np.ndarray) -> float:
    together = have[:, rows].sum(1)
    return float(np.max(together) / len(rows))


def _profile(
    name: str, rows: np.ndarray, at: int, seed: int, catalogue: Catalogue, rng: np.random.Generator
) -> Profile:
    """Plays fall along the ranks as a noisy power law, as real play counts do."""
    top = np.exp(rng.normal(6.3, 1.1))
    falls = rng.uniform(0.5, 1.1)
    plays = top / np.arange(1, len(rows) + 1) ** falls * np.exp(rng.normal(0, 0.25, len(rows)))
    artists = {
        catalogue.keys[row]: Artist(catalogue.names[row], float(max(1, round(count))))
        for row, count in zip(rows, plays, strict=True)
    }
    return Profile(id=f"i{seed}-{at:05d}", artists=artists, origin="invented", name=name)
