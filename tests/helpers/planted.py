"""Small made-up data: groups of listeners with artists of their own, and a ring of artists."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from twotower.core.domain import AUDIO, Artist, Profile
from twotower.sources.datasets.artist_content import ArtistContent
from twotower.sources.datasets.public import Sources
from twotower.sources.datasets.tags import Tagging

GROUPS = 20
ARTISTS = 30  # of a group
RING = 200  # artists around the ring
LISTS_OF = {"netease": 80, "kexp": 30}  # origin -> lists
QUARTERS = ("metal", "jazz", "folk", "techno")  # the genre of each quarter of the ring


def make_profile(id: str, artists: dict[str, float], origin: str = "hetrec") -> Profile:
    return Profile(id, {key: Artist(key, plays) for key, plays in artists.items()}, origin=origin)


def group_of(profile: Profile) -> int:
    """Return the group of most of a profile's artists."""
    groups = [int(key.split()[0][1:]) for key in profile.artists]
    return max(set(groups), key=groups.count)


def people(
    count: int, artists: int, *, origin: str = "hetrec", scale: float = 100.0, seed: int = 0
) -> tuple[Profile, ...]:
    """Return listeners "0", "1", ..., of each group in turn, with so many artists of the group."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        drawn = rng.choice(ARTISTS, artists, replace=False)
        plays = np.ceil(rng.exponential(scale, artists))
        keys = [f"g{number % GROUPS} a{artist}" for artist in drawn]
        made.append(make_profile(str(number), dict(zip(keys, plays.tolist(), strict=True)), origin))
    return tuple(made)


def make_sources(lists: Sequence[Profile] = ()) -> Sources:
    """Return 800 listeners with a tag each, 300 playlists and 60 listeners of another source.

    Each of the first 400 listeners is a friend of the next one of the same group. `lists` are the
    recent lists, of which there are none unless they are given.
    """
    listeners = people(800, 12)
    tags = tuple(
        (p.id, next(iter(p.artists)), f"tag of {p.id}", date(2010, 1, 1)) for p in listeners
    )
    return Sources(
        listeners,
        tags,
        people(300, 10, origin="mpd", scale=2.0, seed=1)
        + people(300, 10, origin="mpd-withheld", scale=2.0, seed=2)[:20],
        {"germany": people(60, 12, origin="germany", seed=3)},
        friends=tuple((str(n), str(n + GROUPS)) for n in range(0, 400)),
        hashes={"made.dat": "0" * 64},
        lists=tuple(lists),
    )


def make_lists(counts: Mapping[str, int] = LISTS_OF, *, artists: int = 12) -> tuple[Profile, ...]:
    """Return recent lists, so many of each origin, whose artists are in no other data set.

    Each list is of a group, and so wide a choice of its artists that no two lists are alike.
    """
    rng = np.random.default_rng(4)
    made = []
    for origin, count in counts.items():
        for number in range(count):
            drawn = 100 + rng.choice(300, artists, replace=False)
            keys = {f"g{number % GROUPS} a{artist}": 1.0 for artist in drawn}
            made.append(make_profile(f"{origin} {number}", keys, origin))
    return tuple(made)


def quarter(key: str) -> int:
    """Return the quarter of the ring of an artist, 0..3."""
    return int(key.split()[1]) * len(QUARTERS) // RING


def ring(
    count: int, *, artists: int = 24, hits: int = 0, origin: str = "hetrec", seed: int = 0
) -> list[Profile]:
    """Return listeners at positions on a ring of artists, who play the artists around them.

    Listener n, with id "seed-n", is in the middle of quarter n % 4, or within 35 degrees of it.
    `hits` of 60 artists that say nothing about taste are added, and played more.
    """
    rng = np.random.default_rng(seed)
    at = 2 * np.pi * (np.arange(RING) + 0.5) / RING
    made = []
    for number in range(count):
        stand = 2 * np.pi * (number % 4 + 0.5) / 4 + rng.uniform(-0.6, 0.6)
        away = np.abs(np.angle(np.exp(1j * (at - stand))))
        share = np.exp(-np.square(away / 0.35))
        drawn = rng.choice(RING, artists, replace=False, p=share / share.sum())
        plays = np.ceil(np.exp(rng.normal(3, 1, artists)))
        keys = [f"artist {artist}" for artist in drawn]
        kept = dict(zip(keys, plays.tolist(), strict=True))
        kept |= {f"hit {hit}": 100.0 for hit in rng.choice(60, hits, replace=False)}
        made.append(make_profile(f"{seed}-{number}", kept, origin))
    return made


def ring_content() -> list[ArtistContent]:
    """Return genres and audio of four in five artists of the ring."""
    per = RING // len(QUARTERS)
    made = []
    for number in range(RING):
        genre = number // per
        if number % 5 < 4:
            audio = dict.fromkeys(AUDIO, 0.1 + 0.2 * genre + 0.001 * (number % per))
            audio |= {"loudness": -20.0 + 4 * genre, "tempo": 90.0 + 20 * genre}
            key = f"artist {number}"
            made.append(ArtistContent(key, key, (QUARTERS[genre],), audio, 50.0))
    return made


def ring_tags(profiles: list[Profile]) -> list[Tagging]:
    """Return tags: every listener names the quarter of their first four artists."""
    return [
        (p.id, key, f"{QUARTERS[quarter(key)]} heard", None)
        for p in profiles
        for key in list(p.artists)[:4]
    ]


def main_plane(vectors: np.ndarray, *, seed: int) -> np.ndarray:
    """Return a fast map (N, 2) of vectors (N, D): their first two principal components."""
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    return (centred @ axes[:2].T).astype(np.float32)


def hetrec_files(folder: Path, listeners: Sequence[Profile]) -> Path:
    """Write these listeners as the files of HetRec, with a tag for each one's first artist."""
    folder.mkdir(parents=True)
    names = sorted({key for p in listeners for key in p.artists})
    number = {key: at for at, key in enumerate(names)}
    tables = {
        "artists.dat": ["id\tname", *(f"{at}\t{key}" for key, at in number.items())],
        "user_artists.dat": ["userID\tartistID\tweight"],
        "tags.dat": ["tagID\ttagValue", "1\trock"],
        "user_taggedartists.dat": ["userID\tartistID\ttagID\tday\tmonth\tyear"],
        "user_friends_part.dat": ["userID\tfriendID"],
    }
    for p in listeners:
        for key, artist in p.artists.items():
            tables["user_artists.dat"].append(f"{p.id}\t{number[key]}\t{artist.plays:.0f}")
        tables["user_taggedartists.dat"].append(f"{p.id}\t{number[min(p.artists)]}\t1\t1\t4\t2009")
    for file, lines in tables.items():
        (folder / file).write_text("\n".join(lines) + "\n")
    return folder
