"""Promotion gate: compare the new model with the current one on the same listeners."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from twotower.core.domain import Profile
from twotower.core.jobs import Progress, silent
from twotower.evaluation.bootstrap import bootstrap
from twotower.evaluation.data import MIN_ARTISTS, cut_random, hold_out_unseen, split_half
from twotower.evaluation.methods.towers import TwoTowers
from twotower.evaluation.specs import TaskKind, TaskSpec
from twotower.evaluation.tasks import Retrieval
from twotower.evaluation.trials import make_tasks
from twotower.model.embedder import Embedder
from twotower.sources.datasets.public import Sources

METRIC = "MRR"
COLD = 5  # artists of a cold query
MIN_LISTENERS = 5  # a task with fewer listeners decides nothing
POOL = 500  # synthetic listeners who are candidates and queries
# Synthetic listeners were drawn from the shipped model's space, so it has an advantage on them. A
# model trained on real people may score lower without being worse.
TOLERATED_LOSS = 0.15  # share of the MRR before
SYNTHETIC_LISTENERS = "invented listeners"  # name of the task in reports


@dataclass(frozen=True)
class Check:
    """Both models on one task; `low` and `high` are the 95 % interval of after minus before."""

    name: str
    listeners: int
    before: float  # MRR of the current model
    after: float  # MRR of the new model
    low: float
    high: float
    allowed: float = 0.0  # tolerated loss of MRR

    @property
    def regressed(self) -> bool:
        """True if the new model is significantly worse than tolerated."""
        return self.high < -self.allowed

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON; its keys are part of the report's format."""
        return {**asdict(self), "metric": METRIC, "fell": self.regressed}

    def __str__(self) -> str:
        return (
            f"{self.name}: {METRIC} {self.before:.3f} before, {self.after:.3f} after "
            f"[{self.low:+.3f}, {self.high:+.3f}], {self.listeners:,} listeners"
        )


def compare_models(
    before: Embedder,
    after: Embedder,
    *,
    held_out: Sequence[Profile],
    synthetic: Sequence[Profile],
    sources: Sources | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Check, ...]:
    """Compare both models on every task that has enough listeners.

    `held_out` are consenting members on whom neither model was trained. `sources` adds public
    listeners whom neither has seen.
    """
    tasks = gate_tasks(
        held_out,
        synthetic,
        sources,
        trained_on={*before.trained_on, *after.trained_on},
        known=before.catalogue.row_of,
        seed=seed,
    )
    checks = []
    for at, (name, task) in enumerate(tasks.items()):
        progress(at / len(tasks), f"comparing the models: {name}")
        old, new = (task.measure(TwoTowers(model))[METRIC] for model in (before, after))
        interval = bootstrap((new - old)[:, None], seed=seed)
        means = float(old.mean()), float(new.mean())
        allowed = TOLERATED_LOSS * means[0] if name.startswith(SYNTHETIC_LISTENERS) else 0.0
        checks.append(Check(name, len(task.ids), *means, interval.low, interval.high, allowed))
    return tuple(checks)


def gate_tasks(
    held_out: Sequence[Profile],
    synthetic: Sequence[Profile],
    sources: Sources | None,
    *,
    trained_on: Collection[str],
    known: Mapping[str, int],
    seed: int,
) -> dict[str, Retrieval]:
    """Return name -> task, for tasks with at least five listeners."""
    pool = [p for p in synthetic if len(p.artists) >= MIN_ARTISTS]
    drawn = np.random.default_rng([seed, 7]).permutation(len(pool))[:POOL]
    chosen = [pool[at] for at in sorted(drawn.tolist())]
    among = split_half(chosen, seed)[1]
    tasks = {
        f"{name}, {task.spec.label}": task
        for name, profiles, others in (
            ("held-out members", held_out, among),
            (SYNTHETIC_LISTENERS, chosen, []),
        )
        for task in _half_and_cold(profiles, others, seed)
    }
    if sources is not None:
        left, unseen = hold_out_unseen(sources, trained_on, known=known, seed=seed)
        for task in make_tasks(left, unseen, (TaskKind.HALVES, TaskKind.OTHER_DATA)):
            if isinstance(task, Retrieval):
                tasks[task.spec.label] = task
    return {name: task for name, task in tasks.items() if len(task.ids) >= MIN_LISTENERS}


def _half_and_cold(
    profiles: Sequence[Profile], others: Sequence[Profile], seed: int
) -> list[Retrieval]:
    """Return split-half retrieval by the whole half, and by five artists of it."""
    queries, candidates = split_half(profiles, seed)
    ids = tuple(p.id for p in profiles)
    pool = [*candidates, *others]
    return [
        Retrieval(TaskSpec(TaskKind.HALVES), ids, queries, pool),
        Retrieval(TaskSpec(TaskKind.COLD, cut=COLD), ids, cut_random(queries, COLD, seed), pool),
    ]
