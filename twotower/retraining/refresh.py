"""Retraining from end to end: read, train, compare with the current model, switch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from twotower.community import queries
from twotower.community.model_registry import REFUSED, ModelRegistry
from twotower.community.secret import community_secret
from twotower.core.domain import Profile
from twotower.core.errors import CommunityError, MissingData
from twotower.core.jobs import Progress, silent
from twotower.core.names import artist_key, hashed_id
from twotower.core.settings import Settings
from twotower.model.catalogue import Catalogue
from twotower.model.embedder import Embedder
from twotower.model.pipeline import FEWEST_LISTENERS
from twotower.retraining.consent import Consented, select_consented
from twotower.retraining.full import STEPS, retrain_full
from twotower.retraining.gate import Check, compare_models
from twotower.retraining.new_artist_rules import MIN_LISTENERS, NewArtistRules
from twotower.retraining.state import CurrentState, Stopwatch
from twotower.retraining.switch import switch_model
from twotower.retraining.towers_only import retrain_towers
from twotower.sources.datasets.public import Sources, read_sources

MIN_BASE_SHARE = 0.95  # of the profiles trained on before, to train on the base data again
MIN_CONSENTING = 20  # members to train on

Train = Callable[[Embedder, Consented], Embedder]


@dataclass(frozen=True)
class RefreshOutcome:
    """Result of a retraining. The names of the fields are the keys of `refresh --json`."""

    model: str  # version of the new model
    before: str  # version of the model that was active before
    switched: bool
    reason: str  # why it switched or not
    base: bool  # True if trained on the base data, too
    consenting: int  # members trained on
    held: int  # consenting members held out for the gate
    new_artists: int
    left_out: int  # artists that too few listeners share
    unconfirmed: tuple[str, ...]  # names with enough listeners that nobody has confirmed
    checks: tuple[Check, ...]
    moved: Mapping[str, float]  # on the map, in standard deviations
    embedded: int  # listeners
    seconds: Mapping[str, float]  # by stage
    dry_run: bool = False

    @property
    def is_good(self) -> bool:
        """True if the new model may become active."""
        return self.model != self.before and not any(check.regressed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        return {**asdict(self), "checks": [check.to_dict() for check in self.checks]}


@dataclass(frozen=True)
class _Data:
    """Everything that a retraining reads."""

    shipped_artists: Mapping[str, int]  # artist key -> row in the shipped model
    consented: Consented
    base: Sequence[Profile]  # of the public data; empty if too many are missing
    synthetic: tuple[Profile, ...]
    sources: Sources | None


def refresh(
    settings: Settings,
    *,
    steps: int = STEPS,
    min_listeners: int = MIN_LISTENERS,
    min_age_days: float = 0.0,
    names: Iterable[str] = (),
    seed: int = 0,
    data: Sources | None = None,
    train: Train | None = None,
    dry_run: bool = False,
    progress: Progress = silent,
) -> RefreshOutcome:
    """Retrain on consenting members; activate the new model if no task regresses.

    Of a refused model only the report is stored. A new artist needs at least `min_listeners`
    consenting listeners, and a name of the public data or among the `names` that the operator has
    confirmed. Members who joined less than `min_age_days` ago aren't read. `data` is the public
    data, by default that of the settings if it is there. `train` replaces the training. `dry_run`
    stops after the comparison and stores nothing. Raises CommunityError if fewer than 20 members
    consent.
    """
    registry = ModelRegistry.of(settings)
    with registry.lock():
        current = CurrentState.open(settings)
        try:
            if not dry_run:
                current.complete()
            sources = data if data is not None else _read_sources(settings.data)
            stopwatch = Stopwatch()
            progress(0.0, "reading the community and the data")
            with stopwatch.measure("reading"):
                rules = _rules(current, sources, names, min_listeners)
                read = _read(current, sources, rules, min_age_days)
            if train is not None:
                read = replace(read, base=())
            with stopwatch.measure("learning"):
                new = _train(current, read, steps, seed, train, progress)
            outcome = _compare(current, new, read, seed, stopwatch, progress)
            if dry_run:
                return replace(outcome, dry_run=True)
            if not outcome.is_good:
                registry.begin()  # the model isn't kept: it knows of members who may leave
                registry.finish(REFUSED, replace(outcome, unconfirmed=()).to_dict())
                return outcome
            return _switch(current, new, read, outcome, seed, stopwatch, progress)
        finally:
            registry.discard_work()
            current.community.close()


def _rules(
    current: CurrentState, sources: Sources | None, names: Iterable[str], min_listeners: int
) -> NewArtistRules:
    """Return the rules for new artists; names are confirmed by the public data or by `names`."""
    confirmed = {} if sources is None else {each.key: each.name for each in sources.content}
    confirmed |= {artist_key(name): name for name in names}
    return NewArtistRules(confirmed, community_secret(current.community), min_listeners)


def _read(
    current: CurrentState, sources: Sources | None, rules: NewArtistRules, min_age_days: float
) -> _Data:
    artists = Catalogue.load(current.registry.assets / "model").row_of
    before = datetime.now(UTC) - timedelta(days=min_age_days)
    profiles = queries.training_profiles(
        current.community, joined_before=before.isoformat(timespec="milliseconds")
    )
    consented = select_consented(profiles, artists, rules)
    if len(consented.training) < MIN_CONSENTING:
        raise CommunityError(
            f"retraining needs {MIN_CONSENTING} consenting members with enough artists, and "
            f"{len(consented.training)} have joined: try again when there are more"
        )
    synthetic = tuple(current.shipped.profiles())
    return _Data(artists, consented, _base(sources, current.embedder), synthetic, sources)


def _read_sources(data: Path) -> Sources | None:
    try:
        return read_sources(data)
    except MissingData:
        return None


def _base(sources: Sources | None, embedder: Embedder) -> list[Profile]:
    """Return the public profiles that the model was trained on; none if too many are missing."""
    if sources is None:
        return []
    seen = frozenset(embedder.trained_on)
    public = chain(sources.listeners, sources.playlists, *sources.others.values())
    profiles = [p for p in public if hashed_id(p) in seen]
    expected = len(seen) - int(embedder.about.get("members", 0))
    return profiles if len(profiles) >= max(FEWEST_LISTENERS, MIN_BASE_SHARE * expected) else []


def _train(
    current: CurrentState,
    data: _Data,
    steps: int,
    seed: int,
    train: Train | None,
    progress: Progress,
) -> Embedder:
    """Train a new model and save it in the registry's work folder."""

    def report(share: float, message: str) -> None:
        progress(0.02 + 0.68 * share, message)

    if train is not None:
        new = train(current.embedder, data.consented)
    elif data.sources is not None and data.base:
        new = retrain_full(
            current.embedder,
            data.base,
            data.sources.content,
            data.sources.tags,
            data.consented,
            steps=steps,
            seed=seed,
            progress=report,
        )
    else:
        new = retrain_towers(
            current.embedder,
            data.synthetic,
            data.consented,
            known=data.shipped_artists,
            steps=steps,
            seed=seed,
            progress=report,
        )
    about = {
        **new.about,
        "members": len(data.consented.training),
        "learned on from": current.embedder.version,
        "new artists": len(data.consented.new_artists),
    }
    return replace(new, about=about).save(current.registry.begin() / "model")


def _compare(
    current: CurrentState,
    new: Embedder,
    data: _Data,
    seed: int,
    stopwatch: Stopwatch,
    progress: Progress,
) -> RefreshOutcome:
    """Compare both models; return the outcome as if nothing was switched."""
    with stopwatch.measure("checks"):
        checks = compare_models(
            current.embedder,
            new,
            held_out=data.consented.held_out,
            synthetic=data.synthetic,
            sources=data.sources,
            seed=seed,
            progress=lambda share, message: progress(0.7 + 0.1 * share, message),
        )
    reason = "; ".join(f"{check.name} regressed" for check in checks if check.regressed)
    if new.version == current.embedder.version:
        reason = "the new model is the same as the current one"
    return RefreshOutcome(
        model=new.version,
        before=current.embedder.version,
        switched=False,
        reason=reason or "no task regressed",
        base=bool(data.base),
        consenting=len(data.consented.training),
        held=len(data.consented.held_out),
        new_artists=len(data.consented.new_artists),
        left_out=data.consented.rare_artists,
        unconfirmed=data.consented.unconfirmed,
        checks=checks,
        moved={},
        embedded=0,
        seconds=stopwatch.seconds,
    )


def _switch(
    current: CurrentState,
    new: Embedder,
    data: _Data,
    outcome: RefreshOutcome,
    seed: int,
    stopwatch: Stopwatch,
    progress: Progress,
) -> RefreshOutcome:
    outcome = replace(outcome, switched=True)
    switched = switch_model(
        current,
        new,
        data.synthetic,
        about=replace(outcome, unconfirmed=()).to_dict(),
        stopwatch=stopwatch,
        seed=seed,
        progress=progress,
    )
    return replace(
        outcome,
        moved=switched.moved,
        embedded=switched.embedded,
        seconds=dict(stopwatch.seconds),
    )
