"""The shipped community: synthetic listeners, their vectors, the map, and percentiles.

`assets/community/` holds `listeners.jsonl.xz` (profiles), `vectors.npz` and `community.json`.
`build` makes them from a model and profiles; `Shipped.load` checks that they belong together.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from twotower.bundle import listener_file
from twotower.bundle.demos import DEMOS
from twotower.community import Member
from twotower.community.public_view import genre_weights, listed_artists, top_genres
from twotower.core.domain import AUDIO, Area, Listener, Profile
from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import sha256_of_file
from twotower.core.jobs import Progress, silent
from twotower.core.names import artist_key
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import unit_rows
from twotower.model.portrait import weighted_spread
from twotower.retrieval import map_areas, projection
from twotower.retrieval.pair_table import PairTable
from twotower.retrieval.similarity import (
    HUB_SHARE,
    ListenerBatch,
    PlayRowReader,
    candidates_needed,
    density_sample,
    hub_corrected,
    local_density,
    pair_quantiles,
    rank_csls,
    similarity,
    similarity_of_pairs,
)
from twotower.retrieval.topk import top_k

FORMAT = 1
FOLDER = "community"
DOCUMENT, VECTORS = "community.json", "vectors.npz"
RECORDED = 10  # neighbours of each demo listener that are stored to compare with
AT_ONCE = 1024  # listeners in one product
PAIRS = 200_000  # random pairs that describe a community


@dataclass(frozen=True)
class Shipped:
    """The synthetic community of one model version."""

    folder: Path
    model_version: str
    digest: str  # SHA-256 of the folder's content
    quantiles: np.ndarray | None  # (1001,) similarity of random pairs, ascending; None: not stored
    areas: tuple[Area, ...]
    audio: Mapping[str, tuple[float, float, float]]  # 10th, 50th, 90th percentile of listeners
    about: Mapping[str, Any]
    pair_table: PairTable | None = None  # how rare each match is; None: not stored

    @classmethod
    def load(cls, assets: Path, *, model_version: str) -> "Shipped":
        """Load the community of a model.

        Raises MissingData if there is none, IncompatibleModel if it is damaged or of another
        model.
        """
        folder = assets / FOLDER
        if not (folder / DOCUMENT).is_file():
            raise MissingData(
                f"no community in {folder}: restore the shipped assets, or make them with "
                "`make assets`"
            )
        try:
            shipped, files = cls._read(folder)
            hashes = {name: sha256_of_file(folder / name) for name in files}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IncompatibleModel(
                f"the shipped community can't be read ({error}): restore assets/{FOLDER}"
            ) from error
        if shipped.model_version != model_version:
            raise IncompatibleModel(
                f"the shipped community is of model {shipped.model_version}, the model here is "
                f"{model_version}: make both with `make assets`, or restore them"
            )
        for name, digest in files.items():
            if hashes[name] != digest:
                raise IncompatibleModel(f"{name} is damaged: restore assets/{FOLDER}")
        return shipped

    @classmethod
    def _read(cls, folder: Path) -> tuple["Shipped", Mapping[str, str]]:
        """Return the content of `community.json`, and the SHA-256 of each file beside it."""
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise IncompatibleModel(
                f"the shipped community has format {document['format']}, this program reads "
                f"{FORMAT}: restore assets/{FOLDER}"
            )
        files, version = document["files"], document["model_version"]
        shipped = cls(
            folder,
            version,
            hashlib.sha256(json.dumps([version, files]).encode()).hexdigest(),
            _quantiles(document),
            tuple(Area(**area) for area in document["areas"]),
            {name: (low, mid, high) for name, (low, mid, high) in document["audio"].items()},
            document["about"],
            PairTable.from_dict(document["pairs"]) if "pairs" in document else None,
        )
        return shipped, files

    @property
    def reliability(self) -> float:
        """Mean share, 0..1, of a listener's 15 nearest that the map shows among the 15 nearest."""
        return float(self.about["map reliability"])

    @cached_property
    def vectors(self) -> Mapping[str, np.ndarray]:
        """Arrays `ids` (n,), `user` and `candidate` (n, d) float32, `places` (n, 2)."""
        with (
            (self.folder / VECTORS).open("rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            return {
                name: arrays[name].astype(np.float32) if name != "ids" else arrays[name]
                for name in ("ids", "user", "candidate", "places")
            }

    def profiles(self) -> Iterator[Profile]:
        """Yield the synthetic profiles, in the order of the vectors."""
        yield from listener_file.read_listeners(listener_file.path_in(self.folder))

    def members(self) -> Iterator[Member]:
        """Yield the synthetic listeners as members of the community.

        Raises IncompatibleModel if profiles and vectors are in different orders.
        """
        vectors = self.vectors
        user, candidate = unit_rows(vectors["user"]), unit_rows(vectors["candidate"])
        genres = self.about["genres"]
        for row, listed in enumerate(listener_file.read_listed(listener_file.path_in(self.folder))):
            if listed.id != vectors["ids"][row]:
                raise IncompatibleModel(
                    f"listener {row + 1} is {listed.id} in one file and {vectors['ids'][row]} in "
                    f"another: restore assets/{FOLDER}"
                )
            x, y = vectors["places"][row]
            yield Member(
                Listener(*listed, tuple(genres[row]), (float(x), float(y))),
                user[row],
                candidate[row],
                map_version=self.digest[:12],
            )


def synthetic_profiles(assets: Path) -> list[Profile]:
    """Return the synthetic profiles, of whatever model. Raises MissingData if there are none."""
    path = listener_file.path_in(assets / FOLDER)
    if not path.is_file():
        raise MissingData(f"no {path.name} in {path.parent}: make it with `make assets`")
    return list(listener_file.read_listeners(path))


def build(
    assets: Path,
    embedder: Embedder,
    profiles: Sequence[Profile],
    *,
    seed: int = 0,
    places: np.ndarray | None = None,
    about: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Shipped:
    """Write the community of these synthetic profiles for a model, and load it.

    places  (n, 2) positions on the map; without it the map is fitted
    about   more facts for `community.json`
    """
    progress(0.0, "embedding the listeners")
    user = embedder.embed(profiles, "user").astype(np.float16)
    candidate = embedder.embed(profiles, "candidate").astype(np.float16)
    people = ListenerBatch(
        unit_rows(user.astype(np.float32)),
        unit_rows(candidate.astype(np.float32)),
        PlayRowReader.of(embedder).read(_listed_plays(profiles)),
    )
    progress(0.2, "fitting the map")
    if places is None:
        places = projection.fit_map(people.candidate, seed=seed)
    description = _describe(embedder, profiles, people, places, seed=seed)
    description["about"] |= about or {}
    progress(0.9, "writing")
    folder = assets / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    listener_file.write_listeners(folder / listener_file.NAME, profiles)
    (folder / listener_file.OLDER_NAME).unlink(missing_ok=True)
    np.savez_compressed(
        folder / VECTORS,
        ids=np.array([p.id for p in profiles]),
        user=user,
        candidate=candidate,
        places=places.astype(np.float32),
    )
    document = {
        "format": FORMAT,
        "model_version": embedder.version,
        "files": {name: sha256_of_file(folder / name) for name in (listener_file.NAME, VECTORS)},
        **description,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    (folder / DOCUMENT).write_text(text, encoding="utf-8")
    progress(1.0, "done")
    return Shipped.load(assets, model_version=embedder.version)


def _describe(
    embedder: Embedder,
    profiles: Sequence[Profile],
    people: ListenerBatch,
    places: np.ndarray,
    *,
    seed: int,
) -> dict[str, Any]:
    """Return what `community.json` says about the listeners, their similarity and the map."""
    genres = [genre_weights(profile, embedder.catalogue) for profile in profiles]
    reliability = float(np.nanmean(projection.reliability(people.candidate, places)))
    sample = density_sample(len(people))
    density = _density(people, sample)
    compared = people.select(sample)
    matches = hub_corrected(similarity(compared, compared), density[sample], density[sample])
    quantiles = pair_quantiles(matches)
    table = PairTable.count(
        matches[np.triu(np.ones(matches.shape, bool), 1)],
        people=len(profiles),
        date=date.today().isoformat(),
        model_version=embedder.version,
    )
    return {
        "hub_share": HUB_SHARE,
        "quantiles": [round(float(q), 5) for q in quantiles],
        **({} if table is None else {"pairs": table.to_dict()}),
        "areas": [asdict(area) for area in map_areas.areas(places, genres, seed=seed)],
        "audio": _audio_percentiles(profiles, embedder.catalogue),
        "about": {
            "seed": seed,
            "listeners": len(profiles),
            "map reliability": round(reliability, 3),
            "genres": [list(top_genres(weights)) for weights in genres],
            "recorded": demo_neighbours(embedder, [p.id for p in profiles], people, density),
        },
    }


def _density(people: ListenerBatch, sample: np.ndarray) -> np.ndarray:
    """Return (n,) the local density of each listener among those of `sample` (s,)."""
    compared = people.select(sample)
    density = np.zeros(len(people))
    for at in range(0, len(people), AT_ONCE):
        rows = np.arange(at, min(at + AT_ONCE, len(people)))
        scores = similarity(people.select(rows), compared)
        density[rows] = local_density(scores, rows[:, None] != sample)
    return density


def demo_neighbours(
    embedder: Embedder, ids: Sequence[str], people: ListenerBatch, density: np.ndarray
) -> dict[str, list[tuple[str, float]]]:
    """Return demo id -> (listener id, similarity) of the most similar, best first.

    Leaves out demos that the model knows nothing of.
    """
    neighbours = {}
    for demo in DEMOS:
        if not embedder.knows(demo):
            continue
        one = ListenerBatch.of(embedder, [demo])
        own = local_density(similarity(one, people.select(density_sample(len(people)))))[0]
        nearest, _ = top_k(people.candidate, one.user[0], candidates_needed(RECORDED))
        rows, values = rank_csls(one, people.select(nearest), own, density[nearest], RECORDED)
        neighbours[demo.id] = [
            (ids[row], round(value, 4))
            for row, value in zip(nearest[rows].tolist(), values.tolist(), strict=True)
        ]
    return neighbours


def pair_similarity(people: ListenerBatch, *, seed: int = 0) -> np.ndarray:
    """Return the similarity of random pairs of different listeners, (at most PAIRS,)."""
    rng = np.random.default_rng([seed, 5])
    a, b = rng.integers(0, len(people), (2, PAIRS))
    a, b = a[a != b], b[a != b]
    return similarity_of_pairs(people.select(a), people.select(b))


def _quantiles(document: Mapping[str, Any]) -> np.ndarray | None:
    """Return the stored quantiles, or None if they are of another similarity.

    Older files have those of the similarity before its hub correction.
    """
    quantiles = np.array(document["quantiles"], np.float64)
    return quantiles if document.get("hub_share") == HUB_SHARE else None


def _listed_plays(profiles: Sequence[Profile]) -> list[list[tuple[str, float]]]:
    """Return (artist key, plays) of the artists that a member's public profile lists."""
    return [
        [(artist_key(name), plays) for name, plays in listed_artists(profile)]
        for profile in profiles
    ]


def _audio_percentiles(profiles: Sequence[Profile], catalogue: Catalogue) -> dict[str, list[float]]:
    """Return attribute -> 10th, 50th and 90th percentile of the listeners' means.

    Empty if the catalogue has no audio.
    """
    means = []
    for profile in profiles:
        rows = [catalogue.row_of[key] for key in profile.artists if key in catalogue.row_of]
        plays = np.array([a.plays for k, a in profile.artists.items() if k in catalogue.row_of])
        if rows and len(catalogue.audio):
            values = catalogue.audio[rows].astype(np.float64)
            if np.isfinite(values).all():
                means.append(weighted_spread(values, plays)[0])
    if not means:
        return {}
    cuts = np.percentile(np.array(means), [10, 50, 90], axis=0).T
    return {name: [round(float(v), 4) for v in cut] for name, cut in zip(AUDIO, cuts, strict=True)}
