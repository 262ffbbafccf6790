"""Whether a new model may take the place of the one before: both are asked the same, in pairs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from twotower.core.domain import Profile
from twotower.evaluation.data import MIN_ARTISTS, cut_random, hold_out_unseen, split_half
from twotower.evaluation.methods.towers import TwoTowers
from twotower.evaluation.metrics import bootstrap
from twotower.evaluation.specs import TaskKind, TaskSpec
from twotower.evaluation.tasks import Retrieval
from twotower.evaluation.trials import make_tasks
from twotower.model.embedder import Embedder
from twotower.sources.datasets.public import Sources

METRIC = "MRR"
COLD = 5  # artists
FEWEST_ASKED = 5  # fewer tell nothing
POOL = 500  # invented listeners among whom others are looked for, and who are asked for
# Invented listeners were drawn from the space of the model that ships, which is so at home with
# them; one that has learned of real people says less of them without being worse.
ALLOWED = 0.15  # of the MRR before
INVENTED = "invented listeners"


@dataclass(frozen=True)
class Check:
    """One question to both models; `low` and `high` bound after minus before, 95 %."""

    name: str
    listeners: int
    before: float  # MRR
    after: float
    low: float
    high: float
    allowed: float = 0.0  # by so much it may be worse

    @property
    def fell(self) -> bool:
        """Whether the new model is worse than it may be, and that by more than chance."""
        return self.high < -self.allowed

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "metric": METRIC, "fell": self.fell}

    def __str__(self) -> str:
        return (
            f"{self.name}: {METRIC} {self.before:.3f} before, {self.after:.3f} after "
            f"[{self.low:+.3f}, {self.high:+.3f}], {self.listeners:,} asked"
        )


def judged(
    before: Embedder,
    after: Embedder,
    *,
    held: Sequence[Profile],
    invented: Sequence[Profile],
    sources: Sources | None = None,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> tuple[Check, ...]:
    """Every question that there are people for; `held` are those who consent and are only asked."""
    tasks = questions(
        held, invented, sources, trained_on={*before.trained_on, *after.trained_on},
        known=before.catalogue.row_of, seed=seed,
    )  # fmt: skip
    found = []
    for at, (name, task) in enumerate(tasks.items()):
        if progress is not None:
            progress(at / len(tasks), f"asking both models: {name}")
        one, other = (task.measure(TwoTowers(model))[METRIC] for model in (before, after))
        gap = bootstrap((other - one)[:, None], seed=seed)
        means = float(one.mean()), float(other.mean())
        allowed = ALLOWED * means[0] if name.startswith(INVENTED) else 0.0
        found.append(Check(name, len(task.ids), *means, gap.low, gap.high, allowed))
    return tuple(found)


def questions(
    held: Sequence[Profile],
    invented: Sequence[Profile],
    sources: Sources | None,
    *,
    trained_on: Collection[str],
    known: Mapping[str, int],
    seed: int,
) -> dict[str, Retrieval]:
    """Return name -> task, for tasks with enough listeners."""
    pool = [p for p in invented if len(p.artists) >= MIN_ARTISTS]
    chosen = np.random.default_rng([seed, 7]).permutation(len(pool))[:POOL]
    strangers = [pool[at] for at in sorted(chosen.tolist())]
    among = split_half(strangers, seed)[1]
    tasks = {
        f"{name}, {task.spec.label}": task
        for name, profiles, others in (
            ("held-out members", held, among),
            (INVENTED, strangers, []),
        )
        for task in _whole_and_cold(profiles, others, seed)
    }
    if sources is not None:
        left, unseen = hold_out_unseen(sources, trained_on, known=known, seed=seed)
        for task in make_tasks(left, unseen, (TaskKind.HALVES, TaskKind.OTHER_DATA)):
            if isinstance(task, Retrieval):
                tasks[task.spec.label] = task
    return {name: task for name, task in tasks.items() if len(task.ids) >= FEWEST_ASKED}


def _whole_and_cold(
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
