"""One refresh from end to end: learn on, ask, embed, lay out, switch; and the way back."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from twotower.bundle import shipped
from twotower.bundle.shipped import Shipped
from twotower.community import Community, ModelVectors, queries
from twotower.community.registry import BATCH, REFUSED, ModelRegistry, embed_missing
from twotower.community.rows import batched
from twotower.core.domain import Profile
from twotower.core.errors import CommunityError, IncompatibleModel, MissingData
from twotower.core.names import hashed_id
from twotower.core.settings import Settings
from twotower.model.artist_features import Progress
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder
from twotower.model.pipeline import FEWEST_LISTENERS
from twotower.model.play_matrix import unit_rows
from twotower.retraining.consent import SHARE_OF, Consented, consented
from twotower.retraining.full import STEPS, learned_on_all
from twotower.retraining.gate import Check, judged
from twotower.retraining.map_update import laid_out
from twotower.retraining.towers_only import learned_on_members
from twotower.sources.datasets.public import Sources, read_sources

BASE_KNOWN = 0.95  # share of those trained on before who must be in the data to train on them again
TRIES = 5  # of switching while others join
FEWEST = 20  # consenting listeners to learn from

Learn = Callable[[Embedder, Consented], Embedder]


@dataclass(frozen=True)
class Outcome:
    """What a refresh did, and why it did no more."""

    model: str  # the version that was made
    before: str  # the version that it began from
    switched: bool
    reason: str
    base: bool  # whether the base data was trained on again
    consenting: int  # listeners trained on
    held: int  # who consent and were only asked
    new_artists: int
    left_out: int  # artists that too few share
    checks: tuple[Check, ...]
    moved: Mapping[str, float]  # on the map, in standard deviations
    embedded: int
    seconds: Mapping[str, float]
    dry_run: bool = False  # nothing was to be switched or kept

    @property
    def good(self) -> bool:
        """Whether the model that was made may be served."""
        return self.model != self.before and not any(check.fell for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "checks": [check.to_dict() for check in self.checks]}


class Clock:
    """Seconds of each part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, part: str) -> Any:
        began = time.perf_counter()
        yield
        self.seconds[part] = round(time.perf_counter() - began, 2)


@dataclass(frozen=True)
class Now:
    """What is served when a refresh begins."""

    registry: ModelRegistry
    name: str | None
    embedder: Embedder
    shipped: Shipped
    community: Community

    @classmethod
    def open(cls, settings: Settings) -> "Now":
        registry = ModelRegistry.of(settings)
        opened = Community.open(settings.community, model_version="", sample=None)
        try:
            name = queries.active_model(opened)
            folder = registry.at(name)
            embedder = Embedder.load(folder / "model")
            together = Shipped.load(folder, model_version=embedder.version)
        except BaseException:
            opened.close()
            raise
        return cls(registry, name, embedder, together, opened.with_model(embedder.version))

    def complete(self) -> None:
        """Everyone is in the community with vectors of this model, and nobody with older ones."""
        if self.name is None:
            self.community.seed(self.shipped.members(), digest=self.shipped.digest)
        _clear(self)
        embed_missing(self.community, self.embedder)


def refresh(
    settings: Settings,
    *,
    steps: int = STEPS,
    share: int = SHARE_OF,
    seed: int = 0,
    data: Sources | None = None,
    learn: Learn | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Learn on, and serve the outcome where no check fell; else it is kept aside.

    Without `data` it is that of the settings, or none. `learn` makes a model in another way than
    from those who consent and the data there is. A `dry_run` ends after the checks, with the
    community and its models as they were. CommunityError where too few consent.
    """
    registry = ModelRegistry.of(settings)
    with registry.alone():
        now = Now.open(settings)
        try:
            if not dry_run:
                now.complete()
            sources = data if data is not None else _sources(settings.data)
            return _refresh(now, sources, steps, share, seed, learn, dry_run, progress)
        finally:
            registry.discard()
            now.community.close()


def _refresh(
    now: Now,
    sources: Sources | None,
    steps: int,
    share: int,
    seed: int,
    learn: Learn | None,
    dry_run: bool,
    progress: Progress | None,
) -> Outcome:
    tell = progress or (lambda share, text: None)
    clock = Clock()
    tell(0.0, "reading the community and the data")
    with clock.of("reading"):
        ships = Catalogue.load(now.registry.assets / "model")
        said_yes = consented(queries.training_profiles(now.community), ships.row_of, share=share)
        if len(said_yes.training) < FEWEST:
            raise CommunityError(
                f"{len(said_yes.training)} listeners who help to train have enough artists: a "
                f"refresh needs {FEWEST}, come back when more have joined"
            )
        base = _base(sources, now.embedder)
        invented = tuple(now.shipped.profiles())
    with clock.of("learning"):
        if learn is not None:
            learned = learn(now.embedder, said_yes)
        elif sources is not None and base:
            learned = learned_on_all(
                now.embedder,
                base,
                sources.content,
                sources.tags,
                said_yes,
                steps=steps,
                seed=seed,
                progress=lambda part, text: tell(0.02 + 0.68 * part, text),
            )
        else:
            learned = learned_on_members(
                now.embedder,
                invented,
                said_yes,
                known=ships.row_of,
                steps=steps,
                seed=seed,
                progress=lambda part, text: tell(0.02 + 0.68 * part, text),
            )
        work = now.registry.begin()
        learned = _described(learned, now, said_yes).save(work / "model")
    with clock.of("checks"):
        checks = judged(
            now.embedder,
            learned,
            held=said_yes.held,
            invented=invented,
            sources=sources,
            seed=seed,
            progress=lambda part, text: tell(0.7 + 0.1 * part, text),
        )
    fallen = [check for check in checks if check.fell]
    outcome = Outcome(
        model=learned.version,
        before=now.embedder.version,
        switched=False,
        reason=_reason(fallen),
        base=bool(base) and learn is None,
        consenting=len(said_yes.training),
        held=len(said_yes.held),
        new_artists=len(said_yes.new),
        left_out=said_yes.left_out,
        checks=checks,
        moved={},
        embedded=0,
        seconds=clock.seconds,
    )
    if learned.version == now.embedder.version:
        outcome = replace(outcome, reason="nothing was learned: the model is the one before")
    if dry_run:
        return replace(outcome, dry_run=True)
    if not outcome.good:
        now.registry.finish(REFUSED, outcome.to_dict())
        return outcome
    outcome = replace(outcome, switched=True)
    return _switch(now, learned, invented, outcome, clock, seed, tell)


def _switch(
    now: Now,
    learned: Embedder,
    invented: Sequence[Profile],
    outcome: Outcome,
    clock: Clock,
    seed: int,
    tell: Progress,
) -> Outcome:
    """Embed everyone beside what is there, lay the map out, and serve the new model."""
    snapshot = now.community.snapshot()
    tell(0.8, "embedding everyone")
    with clock.of("embedding"):
        since = snapshot.seq  # who changes after this is embedded once more
        own = [p.id for p in invented]
        ids, user, candidate = _embedded(
            learned, chain(((p.id, p) for p in invented), _people(now, learned, set(own)))
        )
    with clock.of("map"):
        findable = snapshot.rows_of(ids) >= 0
        findable[: len(own)] = True
        rows = np.flatnonzero(findable)
        laid = laid_out(
            [ids[row] for row in rows],
            candidate[rows],
            snapshot,
            first=len(own),
            seed=seed,
            progress=lambda part, text: tell(0.85 + 0.1 * part, text),
        )
        places = np.full((len(ids), 2), np.nan, np.float32)
        places[rows] = laid.places
        together = shipped.build(
            now.registry.work,
            learned,
            invented,
            seed=seed,
            places=places[: len(own)],
            about=_kept_about(now.shipped),
        )
        vectors = together.vectors  # as they ship, in half precision
        user[: len(own)] = unit_rows(vectors["user"])
        candidate[: len(own)] = unit_rows(vectors["candidate"])
    outcome = replace(outcome, moved=laid.moved, embedded=len(ids))
    with clock.of("switching"):
        tell(0.96, "storing what was embedded")
        about = {
            **outcome.to_dict(),
            "before": now.name,
            "of": outcome.before,
            "community": now.community.id,
        }
        now.registry.finish(learned.version, about)
        after = now.community.with_model(learned.version)
        mark = together.digest[:12]
        after.put_vectors(
            learned.version,
            (
                ModelVectors(id, user[at], candidate[at], _place(places[at]), mark)
                for at, id in enumerate(ids)
            ),
            since=since,
        )
        activate(after, learned, learned.version, mark)
    _clear(now, served=learned.version, before=now.name)
    return replace(outcome, seconds=dict(clock.seconds))


def activate(after: Community, embedder: Embedder, name: str | None, mark: str) -> None:
    """Serve `name`; who joined or changed meanwhile is embedded first, and placed if they show."""
    for left in reversed(range(TRIES)):
        embed_missing(after, embedder, placed=True, map_version=mark)
        try:
            after.activate(name, model_version=embedder.version)
            return
        except CommunityError:
            if not left or not any(
                True for _ in queries.profiles_without_vectors(after, embedder.version)
            ):
                raise


def back(settings: Settings, *, progress: Progress | None = None) -> tuple[str, str]:
    """Serve the generation before again; gives the versions before and now.

    Who joined since is embedded with it first. CommunityError where there is none before.
    """
    tell = progress or (lambda share, text: None)
    registry = ModelRegistry.of(settings)
    with registry.alone():
        opened = Community.open(settings.community, model_version="", sample=None)
        try:
            name = queries.active_model(opened)
            if name is None:
                raise CommunityError("the model that ships is served: there is none before it")
            target = _before(registry, opened, name)
            folder = registry.at(target)
            tell(0.1, "loading the model before")
            embedder = Embedder.load(folder / "model")
            together = Shipped.load(folder, model_version=embedder.version)
            tell(0.3, "embedding who joined since")
            then = opened.with_model(embedder.version)
            activate(then, embedder, target, together.digest[:12])
            return name, embedder.version
        finally:
            opened.close()


def _before(registry: ModelRegistry, opened: Community, name: str) -> str | None:
    """What was served before; the community knows it too, where the folder of `name` is gone."""
    try:
        return registry.before(name)
    except IncompatibleModel:
        return queries.previous_model(opened)


def _clear(now: Now, *, served: str | None = None, before: str | None = None) -> None:
    """Let go of models and vectors that are neither served nor the ones before.

    Those are what a refresh that was killed left behind, and what is two registry old.
    """
    if served is None:
        served = now.name
        before = None if served is None else now.registry.before(served)
    kept = {served, before} - {None}
    for name in now.registry.names():
        if name not in kept and not now.registry.is_of_another(name, now.community.id):
            now.registry.drop(name)
    needed = {*kept, now.embedder.version}
    if served is None or before is None:
        needed.add(now.registry.version(None))
    for version in queries.stats(now.community)["vectors by model"]:
        if version not in needed:
            now.community.drop_vectors(version)


def _sources(data: Path) -> Sources | None:
    try:
        return read_sources(data)
    except MissingData:
        return None


def _base(sources: Sources | None, embedder: Embedder) -> list[Profile]:
    """Those of the public data that the model was trained on; none where too many are missing."""
    if sources is None:
        return []
    seen = frozenset(embedder.trained_on)
    public = chain(sources.listeners, sources.playlists, *sources.others.values())
    found = [p for p in public if hashed_id(p) in seen]
    wanted = len(seen) - int(embedder.about.get("members", 0))
    return found if len(found) >= max(FEWEST_LISTENERS, BASE_KNOWN * wanted) else []


def _described(learned: Embedder, now: Now, said_yes: Consented) -> Embedder:
    about = {
        **learned.about,
        "members": len(said_yes.training),
        "learned on from": now.embedder.version,
        "new artists": len(said_yes.new),
    }
    return replace(learned, about=about)


def _people(now: Now, learned: Embedder, invented: set[str]) -> Iterable[tuple[str, Profile]]:
    return (
        pair
        for pair in queries.profiles_without_vectors(now.community, learned.version)
        if pair[0] not in invented
    )


def _embedded(
    embedder: Embedder, pairs: Iterable[tuple[str, Profile]]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    ids: list[str] = []
    user, candidate = [], []
    for batch in batched(pairs, BATCH):
        profiles = [profile for _, profile in batch]
        ids += [id for id, _ in batch]
        user.append(embedder.embed(profiles, "user"))
        candidate.append(embedder.embed(profiles, "candidate"))
    return ids, np.concatenate(user), np.concatenate(candidate)


def _place(at: np.ndarray) -> tuple[float, float] | None:
    return (float(at[0]), float(at[1])) if np.isfinite(at).all() else None


def _kept_about(before: Shipped) -> dict[str, Any]:
    """What was said of the invented listeners and holds for every model."""
    made = {"seed", "listeners", "map reliability", "genres", "recorded"}
    return {name: value for name, value in before.about.items() if name not in made}


def _reason(fallen: Sequence[Check]) -> str:
    if not fallen:
        return "no check fell"
    return "; ".join(f"{check.name} fell" for check in fallen)
