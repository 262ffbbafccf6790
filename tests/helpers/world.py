"""A small made-up world with the matcher's interface, in which the right neighbours are known.

Five groups of listeners, each with artists of its own; a profile's vector is the mean of its
artists' vectors, so its nearest neighbours are of the group that it listens to.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
from streamlit.testing.v1 import AppTest

from twotower.community import MemberSnapshot
from twotower.core.domain import Area, Artist, Coverage, Listener, Neighbour, Profile, Spread
from twotower.core.errors import EmptyProfile
from twotower.core.names import artist_key, confusable_skeleton
from twotower.model.confidence import BOUNDS, ConfidenceCurve
from twotower.model.portrait import Portrait
from twotower.ui.state import KEY, VisitorState

INDEX = Path(__file__).resolve().parents[2] / "pages" / "index.py"  # the script that is run
GROUPS = ("metal", "jazz", "folk", "techno", "pop")
HOSTILE = ("*x*", "[a](b)", "$math$", ":red[x]", "<b>bold</b>", ":smile:", "www.example.com")
STARTS = ("Am", "Bel", "Cor", "Dun", "El", "Fa", "Gri", "Hol", "Iv", "Jun")
ENDS = ("ara", "moth", "Harbour", "wick", "onia", "Parade")
ADJECTIVES = ("Amber", "Brisk", "Calm", "Dusty", "Early", "Fond", "Gentle", "Hazy", "Idle", "Jolly")
ANIMALS = ("Otter", "Heron", "Lynx", "Moth", "Newt", "Owl", "Pika", "Quail", "Robin", "Stoat")
DIM = 16
CURVE = ConfidenceCurve((0.0, 4.0, 8.0, 20.0), (0.0, *BOUNDS))  # a new word at each knot


class PlantedCatalogue:
    """60 artists a group, the first the most popular; the hostile names end the first group."""

    def __init__(self) -> None:
        self.group_of: dict[str, int] = {}
        names = []
        for number, (start, end) in enumerate(product(STARTS, ENDS)):
            for group in range(len(GROUPS)):
                name = f"{start}{end} {GROUPS[group].title()}"
                if group == 0 and number >= 60 - len(HOSTILE):
                    name = HOSTILE[number - 60]
                names.append(name)
                self.group_of[artist_key(name)] = group
        self.names = tuple(names)
        self._rows = {artist_key(name): row for row, name in enumerate(names)}

    def row(self, key: str) -> int | None:
        return self._rows.get(key)

    def name_of(self, key: str) -> str | None:
        row = self.row(key)
        return None if row is None else self.names[row]

    def search(self, text: str, limit: int = 20) -> list[str]:
        return [name for name in self.names if text.casefold() in name.casefold()][:limit]

    def genres_of(self, key: str) -> tuple[str, ...]:
        return (GROUPS[self.group_of[key]],)

    def audio_of(self, key: str) -> Mapping[str, float]:
        return {"energy": 0.2 * self.group_of[key], "tempo": 90.0 + 10 * self.group_of[key]}


class PlantedMatcher:
    """500 listeners in five groups, 100 each, in the order of `GROUPS`."""

    version = "planted"

    def is_current(self) -> bool:
        return True

    def __init__(self, seed: int = 0) -> None:
        draw = np.random.default_rng(seed)
        self.catalogue = PlantedCatalogue()
        keys = [artist_key(name) for name in self.catalogue.names]
        self._groups = np.array([self.catalogue.group_of[key] for key in keys])
        self._vectors = np.eye(DIM)[self._groups] + 0.15 * draw.normal(size=(len(keys), DIM))
        self._people: list[Listener] = []
        vectors, places = [], []
        centres = 4 * np.array([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(5) / 5])
        for number in range(500):
            group = number // 100
            own = draw.choice(np.flatnonzero(self._groups == group), size=12, replace=False)
            place = centres[group] + draw.normal(size=2)
            pair = divmod(number, 10)
            self._people.append(
                Listener(
                    id=f"p{number}",
                    name=f"{ADJECTIVES[pair[0] % 10]} {ANIMALS[pair[1]]} {number}",
                    origin="invented",
                    artists=tuple(
                        (self.catalogue.names[row], 30.0 - 2 * rank) for rank, row in enumerate(own)
                    ),
                    genres=(GROUPS[group],),
                    place=(float(place[0]), float(place[1])),
                )
            )
            vectors.append(self._vectors[own].mean(axis=0))
            places.append(place)
        unit = np.array(vectors)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        matrix = unit.astype(np.float32)
        self._snapshot = MemberSnapshot.of(
            seq=1,
            ids=tuple(person.id for person in self._people),
            user=matrix,
            candidate=matrix,
            places=np.array(places, dtype=np.float32),
            synthetic=np.ones(500, dtype=bool),
        )
        pairs = draw.integers(0, 500, size=(4000, 2))
        self._pairs = np.sort((matrix[pairs[:, 0]] * matrix[pairs[:, 1]]).sum(axis=1))

    def demos(self) -> tuple[Profile, ...]:
        return tuple(
            profile_of(
                *[artist for artist, _ in self._people[100 * group].artists[:8]],
                name=f"{GROUPS[group].title()} and more",
                id=f"demo-{GROUPS[group]}",
                origin="demo",
            )
            for group in range(len(GROUPS))
        )

    def suggestions(self, count: int) -> tuple[str, ...]:
        return self.catalogue.names[:count]

    def portrait(self, profile: Profile) -> Portrait:
        began = perf_counter()
        known = {k: a for k, a in profile.artists.items() if self.catalogue.row(k) is not None}
        if not known:
            raise EmptyProfile("the model knows none of the artists: pick an artist it knows")
        total = sum(artist.plays for artist in profile.artists.values())
        rows = [self.catalogue.row(key) for key in known]
        weights = np.array([artist.plays for artist in known.values()])
        weights = weights / weights.sum()
        vector = (weights[:, None] * self._vectors[rows]).sum(axis=0)
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        shares: dict[str, float] = {}
        for key, weight in zip(known, weights, strict=True):
            for genre in self.catalogue.genres_of(key):
                shares[genre] = shares.get(genre, 0.0) + float(weight)
        energy = [self.catalogue.audio_of(key)["energy"] for key in known]
        tempo = [self.catalogue.audio_of(key)["tempo"] for key in known]
        ranked = sorted(profile.artists.values(), key=lambda artist: -artist.plays)
        effective = float(np.exp(-(weights * np.log(weights)).sum()))
        coverage = Coverage(
            plays=sum(artist.plays for artist in known.values()) / total,
            by_content=0.0,
            effective_artists=effective,
            effective_heard=effective,
            unknown=tuple(a.name for a in ranked if artist_key(a.name) not in known),
            heard=tuple(a.name for a in ranked if artist_key(a.name) in known),
        )
        return Portrait(
            profile=profile,
            user_vector=vector,
            candidate_vector=vector,
            effective_dimensions=len(known) / 4,
            coverage=coverage,
            confidence=CURVE.confidence(coverage),
            artists=tuple(ranked),
            genres=tuple(sorted(shares.items(), key=lambda pair: -pair[1])),
            audio={
                "energy": Spread(float(np.mean(energy)), 0.1),
                "tempo": Spread(float(np.mean(tempo)), 5.0),
            },
            audio_is_estimate=not profile.audio,
            genres_from=coverage.plays,
            audio_from=coverage.plays,
            seconds=perf_counter() - began,
        )

    def neighbours(
        self, portrait: Portrait, count: int = 10, *, own: str | None = None
    ) -> tuple[Neighbour, ...]:
        scores = self._snapshot.candidate @ portrait.user_vector
        found = []
        for rank, row in enumerate(np.argsort(-scores, kind="stable")[:count], start=1):
            person = self._people[row]
            names = [name for name, _ in person.artists]
            ahead = 4000 - int(np.searchsorted(self._pairs, scores[row]))
            one_in = 4000 / max(ahead, 1)
            mine = portrait.profile.artists
            found.append(
                Neighbour(
                    listener=person,
                    rank=rank,
                    similarity=float(scores[row]),
                    percentile=100 * float(np.searchsorted(self._pairs, scores[row]) / 4000),
                    shared=tuple(name for name in names if artist_key(name) in mine),
                    discover=tuple(name for name in names if artist_key(name) not in mine),
                    one_in=one_in,
                    closeness=f"1 in {one_in:,.0f}",
                )
            )
        return tuple(found)

    def typical_similarity(self) -> float:
        return float(np.median(self._pairs))

    def people(self, ids: list[str]) -> list[Listener]:
        return [person for id in ids if (person := self.person(id)) is not None]

    def named_like(self, text: str, count: int) -> list[Listener]:
        return [
            p for p in self._people if confusable_skeleton(text) in confusable_skeleton(p.name)
        ][:count]

    def person(self, listener_id: str) -> Listener | None:
        return {person.id: person for person in self._people}.get(listener_id)

    def place(self, portrait: Portrait, *, own: str | None = None) -> tuple[float, float]:
        near = [n.listener.place for n in self.neighbours(portrait, 15)]
        x, y = np.median(np.array(near), axis=0)
        return float(x), float(y)

    def snapshot(self) -> MemberSnapshot:
        return self._snapshot

    def revision(self) -> tuple[int, str | None]:
        return self._snapshot.seq, None

    def areas(self) -> tuple[Area, ...]:
        places = self._snapshot.places
        means = [places[100 * g : 100 * g + 100].mean(axis=0) for g in range(len(GROUPS))]
        return tuple(
            Area(name, float(mean[0]), float(mean[1]), 100)
            for name, mean in zip(GROUPS, means, strict=True)
        )

    def map_reliability(self) -> float:
        return 0.42

    def community_audio(self) -> Mapping[str, tuple[float, float, float]]:
        return {"energy": (0.1, 0.4, 0.7), "tempo": (95.0, 110.0, 128.0)}


def profile_of(*names: str, **more: str) -> Profile:
    """A profile in which each artist has one play more than the next."""
    artists = {
        artist_key(name): Artist(name, float(len(names) - rank)) for rank, name in enumerate(names)
    }
    profile = Profile(id="me", artists=artists, origin="picked")
    return replace(profile, **more)


def state_of(app: AppTest) -> VisitorState:
    """Return the visitor's state in a page under test; an empty one before the first run."""
    if KEY not in app.session_state:
        app.session_state[KEY] = VisitorState()
    return app.session_state[KEY]
