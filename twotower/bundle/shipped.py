"""What ships beside the model: invented listeners, their vectors, the map, what pairs are like.

`assets/community/` holds `listeners.jsonl.gz` (profiles), `vectors.npz` and `community.json`;
`build` makes all of it from a model and real listening, and `Shipped.load` checks that it belongs
together.
"""

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from twotower.bundle.demos import DEMOS
from twotower.community import Member
from twotower.community.public_view import genre_weights, listed_artists, top_genres
from twotower.core.domain import AUDIO, Area, Listener, Profile
from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import sha256_of_file
from twotower.core.names import artist_key
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder
from twotower.model.play_matrix import unit_rows
from twotower.model.portrait import weighted_spread
from twotower.retrieval import projection
from twotower.retrieval.similarity import (
    HUB_SHARE,
    ListenerBatch,
    PlayRowReader,
    candidates_needed,
    hub_corrected,
    local_density,
    pair_quantiles,
    rank_csls,
    similarity_of_pairs,
)
from twotower.retrieval.similarity import similarity as similarity_of
from twotower.retrieval.topk import top_k
from twotower.sources.profile_jsonl import profile_to_json, read_profiles

FORMAT = 1
RECORDED = 10  # neighbours of each demo listener, kept to compare with
PAIRS = 200_000  # random pairs that describe a community
FOLDER = "community"
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Shipped:
    """The invented community of one model version."""

    folder: Path
    model_version: str
    digest: str  # of all that is in the folder
    quantiles: np.ndarray | None  # (1001,) similarity of random pairs, ascending; None: not stored
    areas: tuple[Area, ...]
    audio: Mapping[str, tuple[float, float, float]]  # 10th, 50th, 90th percentile of listeners
    about: Mapping[str, Any]

    @classmethod
    def load(cls, assets: Path, *, model_version: str) -> "Shipped":
        """MissingData where it is absent, IncompatibleModel where it is of another model."""
        folder = assets / FOLDER
        if not (folder / "community.json").is_file():
            raise MissingData(
                f"no community in {folder}: restore the shipped assets, or make them with "
                "`make assets`"
            )
        try:
            document = json.loads((folder / "community.json").read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                raise IncompatibleModel(
                    f"the shipped community has format {document['format']}, this program reads "
                    f"{FORMAT}: restore assets/{FOLDER}"
                )
            files = document["files"]
            found = {name: sha256_of_file(folder / name) for name in files}
            version = document["model_version"]
            shipped = cls(
                folder,
                version,
                hashlib.sha256(json.dumps([version, files]).encode()).hexdigest(),
                _quantiles(document),
                tuple(Area(**area) for area in document["areas"]),
                {name: (a, b, c) for name, (a, b, c) in document["audio"].items()},
                document["about"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IncompatibleModel(
                f"the shipped community can't be read ({error}): restore assets/{FOLDER}"
            ) from error
        if version != model_version:
            raise IncompatibleModel(
                f"the shipped community is of model {version}, the model here is {model_version}: "
                "make both with `make assets`, or restore them"
            )
        for name, digest in files.items():
            if found[name] != digest:
                raise IncompatibleModel(f"{name} is damaged: restore assets/{FOLDER}")
        return shipped

    @property
    def reliability(self) -> float:
        """Mean share, 0..1, of a listener's 15 nearest that the map shows among the 15 nearest."""
        return float(self.about["map reliability"])

    @cached_property
    def vectors(self) -> Mapping[str, np.ndarray]:
        """Arrays `ids` (n,), `user` and `candidate` (n, d) float32, `places` (n, 2)."""
        with np.load(self.folder / "vectors.npz", allow_pickle=False) as arrays:
            return {
                name: arrays[name].astype(np.float32) if name != "ids" else arrays[name]
                for name in ("ids", "user", "candidate", "places")
            }

    def profiles(self) -> Iterator[Profile]:
        with gzip.open(self.folder / "listeners.jsonl.gz", "rb") as file:
            yield from read_profiles(io.BytesIO(file.read()), where="listeners.jsonl.gz")

    def members(self) -> Iterator[Member]:
        """The invented listeners as rows for the community."""
        vectors = self.vectors
        genres = self.about["genres"]
        for row, profile in enumerate(self.profiles()):
            if profile.id != vectors["ids"][row]:
                raise IncompatibleModel(
                    f"listener {row + 1} is {profile.id} in one file and {vectors['ids'][row]} in "
                    f"another: restore assets/{FOLDER}"
                )
            x, y = vectors["places"][row]
            yield Member(
                Listener(
                    profile.id,
                    profile.name,
                    profile.origin,
                    listed_artists(profile),
                    tuple(genres[row]),
                    (float(x), float(y)),
                ),
                unit_rows(vectors["user"][row]),
                unit_rows(vectors["candidate"][row]),
                map_version=self.digest[:12],
            )


def build(
    assets: Path,
    embedder: Embedder,
    profiles: Sequence[Profile],
    *,
    seed: int = 0,
    places: np.ndarray | None = None,
    about: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Shipped:
    """Write the community of these invented profiles for this model, and give it as loaded.

    Where `places` (n, 2) are given, the map is theirs and none is fitted.
    """
    tell = progress or (lambda share, text: None)
    folder = assets / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    tell(0.0, "embedding the listeners")
    user = embedder.embed(profiles, "user").astype(np.float16)
    candidate = embedder.embed(profiles, "candidate").astype(np.float16)
    wide = unit_rows(candidate.astype(np.float32))
    tell(0.2, "fitting the map")
    if places is None:
        places = projection.fit_map(wide, seed=seed)
    tags = [genre_weights(profile, embedder.catalogue) for profile in profiles]
    named = projection.areas(places, tags, seed=seed)
    kept = projection.reliability(wide, places)
    tell(0.9, "writing")
    listed = [[(artist_key(name), n) for name, n in listed_artists(p)] for p in profiles]
    people = ListenerBatch(
        unit_rows(user.astype(np.float32)), wide, PlayRowReader.of(embedder).read(listed)
    )
    scores = similarity_of(people, people)
    density = local_density(scores, ~np.eye(len(scores), dtype=bool))
    quantiles = pair_quantiles(hub_corrected(scores, density, density))
    audio = _audio_percentiles(profiles, embedder.catalogue)
    _write_gz(folder / "listeners.jsonl.gz", profiles)
    arrays = {
        "ids": np.array([p.id for p in profiles]),
        "user": user,
        "candidate": candidate,
        "places": places.astype(np.float32),
    }
    np.savez_compressed(folder / "vectors.npz", **arrays)  # type: ignore[arg-type]
    names = ("listeners.jsonl.gz", "vectors.npz")
    document = {
        "format": FORMAT,
        "model_version": embedder.version,
        "files": {name: sha256_of_file(folder / name) for name in names},
        "hub_share": HUB_SHARE,
        "quantiles": [round(float(q), 5) for q in quantiles],
        "areas": [asdict(area) for area in named],
        "audio": audio,
        "about": {
            "seed": seed,
            "listeners": len(profiles),
            "map reliability": round(float(np.nanmean(kept)), 3),
            "genres": [list(top_genres(weights)) for weights in tags],
            "recorded": record(embedder, [p.id for p in profiles], people, density),
            **(about or {}),
        },
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    (folder / "community.json").write_text(text, encoding="utf-8")
    tell(1.0, "done")
    return Shipped.load(assets, model_version=embedder.version)


def record(
    embedder: Embedder, ids: Sequence[str], people: ListenerBatch, density: np.ndarray
) -> dict[str, list[tuple[str, float]]]:
    """Return demo id -> (listener id, similarity) of the most similar, best first.

    Leaves out demos that the model knows nothing of.
    """
    found = {}
    for demo in DEMOS:
        if not embedder.knows(demo):
            continue
        one = ListenerBatch.of(embedder, [demo])
        own = local_density(similarity_of(one, people))[0]
        among, _ = top_k(people.candidate, one.user[0], candidates_needed(RECORDED))
        rows, similarity = rank_csls(one, people.select(among), own, density[among], RECORDED)
        nearby = zip(among[rows].tolist(), similarity.tolist(), strict=True)
        found[demo.id] = [(ids[row], round(value, 4)) for row, value in nearby]
    return found


def pair_similarity(people: ListenerBatch, *, seed: int = 0) -> np.ndarray:
    """Similarity of random pairs of different listeners, (at most PAIRS,)."""
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


def _audio_percentiles(profiles: Sequence[Profile], catalogue: Catalogue) -> dict[str, list[float]]:
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


def _write_gz(path: Path, profiles: Sequence[Profile]) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        for profile in profiles:
            line = json.dumps(profile_to_json(profile), ensure_ascii=False, separators=(",", ":"))
            file.write(line.encode() + b"\n")
