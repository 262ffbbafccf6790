"""Ablation of the towers and their training, and the learning curve over fewer listeners.

Both use validation listeners, so that the test is untouched by every choice.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from twotower.core.jobs import Progress, silent
from twotower.core.names import hashed_id
from twotower.evaluation.data import EvaluationSplit, hold_out
from twotower.evaluation.methods.baselines import fit_als
from twotower.evaluation.methods.towers import TwoTowers
from twotower.evaluation.report import Report
from twotower.evaluation.runner import TOWERS, make_header, measure_tasks
from twotower.evaluation.specs import MethodSpec, TaskKind
from twotower.evaluation.tally import Tally
from twotower.evaluation.trials import make_tasks
from twotower.model.pipeline import PreparedData, fit_prepared, prepare
from twotower.model.towers import ModelConfig
from twotower.model.train_config import TrainConfig
from twotower.sources.datasets.public import Sources, Training, read_sources

DEFAULT = "as it ships"
ABLATION_TASKS = (
    TaskKind.HALVES,
    TaskKind.HEAD,
    TaskKind.OTHER_DATA,
    TaskKind.PLAYLISTS,
    TaskKind.TODAY,
    TaskKind.COLD,
    TaskKind.ONE_SIDED_PLAYS,
    TaskKind.FRIENDS,
    TaskKind.GEOMETRY,
)
LEARNING_TASKS = (TaskKind.HALVES, TaskKind.HEAD, TaskKind.COLD)
SHARES = (25, 50, 75, 100)  # per cent of the training listeners
ALS = MethodSpec("ALS-64")


@dataclass(frozen=True)
class Variant:
    """Settings that differ from those of the shipped towers."""

    training: Mapping[str, Any] = field(default_factory=dict)  # fields of TrainConfig
    model: Mapping[str, Any] = field(default_factory=dict)  # fields of ModelConfig
    content: bool = True  # False: without tags, genres, audio and names


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        DEFAULT: Variant(),
        "loss: sigmoid (SigLIP)": Variant({"loss": "sigmoid"}),
        "loss: triplet": Variant({"loss": "triplet"}),
        "loss: BPR": Variant({"loss": "bpr"}),
        "without cross-fitting": Variant({"cross_fit": False}),
        "negatives of all folds": Variant({"in_fold": False}),
        "without thresholds of popularity": Variant({"min_df_choices": ()}),
        "plays as they are": Variant(model={"relative_plays": False}),
        "without content": Variant(content=False),
        "attention instead of ridge pooling": Variant(model={"pooling": "attention"}),
        "one tower for both sides": Variant(model={"shared": True}),
        "parts keep their tower": Variant({"tower_swap": 0.0}),
        "plays always told": Variant({"mask_plays": 0.0}),
    }
)


def ablate(
    data: Path | Sources,
    *,
    variants: Mapping[str, Variant] = VARIANTS,
    kinds: Collection[str] = ABLATION_TASKS,
    split: int = 0,
    steps: int | None = None,
    seed: int = 0,
    command: str = "",
    progress: Progress = silent,
) -> Report:
    """Train each variant on one split, and compare it with the default by the same tasks.

    Variants with the same content share the prepared data, so they differ in nothing else.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    held_out = hold_out(sources, split, part="validation", seed=seed)
    tasks = make_tasks(sources, held_out, kinds)
    default = _config(steps, seed)
    tally, prepared = Tally(), dict[bool, PreparedData]()
    for done, (name, variant) in enumerate(variants.items()):
        progress(done / len(variants), name)
        if variant.content not in prepared:
            prepared[variant.content] = _prepare(
                held_out.training, default, content=variant.content
            )
        embedder = fit_prepared(
            prepared[variant.content],
            config=replace(default, **variant.training),
            model_config=ModelConfig(**variant.model),
        )
        measure_tasks(TwoTowers(embedder, name), name, split, tasks, tally)
    progress(1.0, "done")
    header = {
        **_split_header(held_out),
        "training": default.to_dict(),
        **make_header(sources, kinds, seed, command),
    }
    return tally.report(header, reference=DEFAULT, seed=seed)


def learning_curve(
    data: Path | Sources,
    *,
    shares: Sequence[int] = SHARES,
    split: int = 0,
    steps: int | None = None,
    seed: int = 0,
    command: str = "",
    progress: Progress = silent,
) -> Report:
    """Train the towers and ALS on a share of the listeners and playlists, in per cent.

    A smaller share is part of a larger one. The reference is the towers with the largest share.
    """
    sources = data if isinstance(data, Sources) else read_sources(data)
    held_out = hold_out(sources, split, part="validation", seed=seed)
    tasks = [
        task
        for task in make_tasks(sources, held_out, LEARNING_TASKS)
        if task.spec.condition != "full pool"
    ]
    config, tally = _config(steps, seed), Tally()
    for done, share in enumerate(shares):
        progress(done / len(shares), f"{share} % of the listeners")
        part = _first_share(held_out.training, share)
        embedder = fit_prepared(_prepare(part, config), config=config)
        towers = TwoTowers(embedder, TOWERS.trained_on(share).label)
        als = replace(fit_als(part), name=ALS.trained_on(share).label)
        for method in (towers, als):
            measure_tasks(method, method.name, split, tasks, tally)
    progress(1.0, "done")
    return tally.report(
        {**_split_header(held_out), **make_header(sources, LEARNING_TASKS, seed, command)},
        reference=TOWERS.trained_on(max(shares)).label,
        seed=seed,
    )


def _split_header(split: EvaluationSplit) -> dict[str, Any]:
    return {"part": split.part, "splits": [split.number]}


def _config(steps: int | None, seed: int) -> TrainConfig:
    default = TrainConfig(seed=seed)
    return default if steps is None else replace(default, steps=steps)


def _prepare(training: Training, config: TrainConfig, *, content: bool = True) -> PreparedData:
    profiles = [*training.listeners, *training.playlists, *training.charts]
    if not content:
        return prepare(profiles, config=config)
    return prepare(profiles, training.content, training.tags, config=config)


def _first_share(training: Training, share: int) -> Training:
    """Return the first `share` per cent of listeners and lists, in the order of a hash."""
    listeners = training.listeners[: round(len(training.listeners) * share / 100)]
    lists = sorted(training.playlists, key=hashed_id)[
        : round(len(training.playlists) * share / 100)
    ]
    ids = {listener.id for listener in listeners}
    tags = tuple(tagging for tagging in training.tags if tagging[0] in ids)
    return replace(training, listeners=listeners, playlists=tuple(lists), tags=tags)
