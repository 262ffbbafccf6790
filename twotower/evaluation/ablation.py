"""What each part of the towers and of their training is worth, and what more listeners are.

Asked of validation listeners, so that the test stays out of every choice.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twotower.evaluation.checks import hold_out, make_tasks
from twotower.evaluation.methods.baselines import fit_als
from twotower.evaluation.methods.towers import TwoTowers
from twotower.evaluation.report import Report
from twotower.evaluation.runner import ask, header
from twotower.evaluation.tally import Tally
from twotower.model.pipeline import Prepared, fit_prepared, prepare
from twotower.model.towers import ModelConfig
from twotower.model.training import TrainConfig
from twotower.sources.datasets.public import Sources, Training, read_sources

Progress = Callable[[float, str], None]  # share done 0..1, what is being done

DEFAULT = "as it ships"
CHECKS = (
    "halves", "halves-head", "halves-other", "halves-playlists", "cold", "sides", "friends",
    "geometry",
)  # fmt: skip
SHARES = (25, 50, 75, 100)  # per cent of the listeners


@dataclass(frozen=True)
class Variant:
    """What differs from the towers as they ship."""

    training: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    content: bool = True  # whether tags, genres, audio and names are known


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        DEFAULT: Variant(),
        "loss: sigmoid (SigLIP)": Variant({"loss": "sigmoid"}),
        "loss: triplet": Variant({"loss": "triplet"}),
        "loss: BPR": Variant({"loss": "bpr"}),
        "without cross-fitting": Variant({"cross_fit": False}),
        "negatives of all folds": Variant({"in_fold": False}),
        "without thresholds of popularity": Variant({"thresholds": ()}),
        "plays as they are": Variant(model={"relative_plays": False}),
        "without content": Variant(content=False),
        "attention instead of ridge pooling": Variant(model={"pooling": "attention"}),
        "one tower for both sides": Variant(model={"shared": True}),
        "parts keep their tower": Variant({"swap": 0.0}),
        "plays always told": Variant({"no_plays": 0.0}),
    }
)


def ablate(
    data: Path | Sources,
    *,
    variants: Mapping[str, Variant] = VARIANTS,
    checks: Collection[str] = CHECKS,
    split: int = 0,
    steps: int | None = None,
    seed: int = 0,
    command: str = "",
    on_progress: Progress | None = None,
) -> Report:
    """Train each variant on one split and ask all the same; differences are those of the default.

    Variants that know the same share tables, so that they differ by what is named alone.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    held = hold_out(sources, split, part="validation", seed=seed)
    tasks = make_tasks(sources, held, checks)
    tell = on_progress or (lambda share, text: None)
    usual = _config(steps, seed)
    tally, ready = Tally(), dict[bool, Prepared]()
    for done, (name, variant) in enumerate(variants.items()):
        tell(done / len(variants), name)
        if variant.content not in ready:
            ready[variant.content] = _prepared(held.training, usual, content=variant.content)
        embedder = fit_prepared(
            ready[variant.content],
            config=replace(usual, **variant.training),
            model_config=ModelConfig(**variant.model),
        )
        ask(TwoTowers(embedder, name), name, split, tasks, tally)
    tell(1.0, "done")
    about = header(sources, checks, seed, command)
    return tally.report(
        {"part": held.part, "splits": [split], "training": asdict(usual), **about},
        reference=DEFAULT,
        seed=seed,
    )


def learning_curve(
    data: Path | Sources,
    *,
    shares: Sequence[int] = SHARES,
    split: int = 0,
    steps: int | None = None,
    seed: int = 0,
    command: str = "",
    on_progress: Progress | None = None,
) -> Report:
    """The towers and ALS on a part of the listeners and playlists, per cent of each.

    A smaller part is in a larger one; differences are those of the towers on the largest.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    held = hold_out(sources, split, part="validation", seed=seed)
    checks = ("halves", "halves-head", "cold")
    tasks = [task for task in make_tasks(sources, held, checks) if "full pool" not in task.check]
    tell = on_progress or (lambda share, text: None)
    usual, tally = _config(steps, seed), Tally()
    for done, share in enumerate(shares):
        tell(done / len(shares), f"{share} % of the listeners")
        part = _part(held.training, share)
        named = f", {share} % of the listeners"
        towers = TwoTowers(fit_prepared(_prepared(part, usual), config=usual), f"two towers{named}")
        ask(towers, towers.name, split, tasks, tally)
        als = replace(fit_als(part), name=f"ALS-64{named}")
        ask(als, als.name, split, tasks, tally)
    tell(1.0, "done")
    about = header(sources, checks, seed, command)
    return tally.report(
        {"part": held.part, "splits": [split], **about},
        reference=f"two towers, {max(shares)} % of the listeners",
        seed=seed,
    )


def _config(steps: int | None, seed: int) -> TrainConfig:
    usual = TrainConfig(seed=seed)
    return usual if steps is None else replace(usual, steps=steps)


def _prepared(training: Training, config: TrainConfig, *, content: bool = True) -> Prepared:
    profiles = [*training.listeners, *training.playlists]
    if not content:
        return prepare(profiles, config=config)
    return prepare(profiles, training.content, training.tags, config=config)


def _part(training: Training, share: int) -> Training:
    """The first of the listeners, who stand in an order drawn by hash, and of the playlists."""
    listeners = training.listeners[: round(len(training.listeners) * share / 100)]
    playlists = training.playlists[: round(len(training.playlists) * share / 100)]
    ids = {listener.id for listener in listeners}
    tags = tuple(tagging for tagging in training.tags if tagging[0] in ids)
    return replace(training, listeners=listeners, playlists=playlists, tags=tags)
