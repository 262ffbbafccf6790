"""Musical Neighbours: find listeners who hear music the way you do.

    from twotower import Matcher, Settings, read_profile

    matcher = Matcher.load(Settings.from_env())
    portrait = matcher.portrait(read_profile("my_spotify_data.zip"))
    for neighbour in matcher.neighbours(portrait, 10):
        print(neighbour.rank, neighbour.listener.name, neighbour.similarity)

Names are imported when they are first used, so `import twotower` is fast and loads no PyTorch.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twotower.core.domain import Neighbour, Profile
    from twotower.core.jobs import Progress
    from twotower.core.settings import Settings
    from twotower.evaluation.report import Report
    from twotower.matching.matcher import Matcher
    from twotower.model.embedder import Embedder
    from twotower.model.portrait import Portrait
    from twotower.sources.profile_jsonl import read_profiles
    from twotower.sources.reader import read_profile

__version__ = "0.1.0"
__all__ = [
    "Embedder",
    "Matcher",
    "Neighbour",
    "Portrait",
    "Profile",
    "Report",
    "Settings",
    "evaluate",
    "read_profile",
    "read_profiles",
    "train",
]

_MODULES = {
    "Embedder": "twotower.model.embedder",
    "Matcher": "twotower.matching.matcher",
    "Neighbour": "twotower.core.domain",
    "Portrait": "twotower.model.portrait",
    "Profile": "twotower.core.domain",
    "Report": "twotower.evaluation.report",
    "Settings": "twotower.core.settings",
    "read_profile": "twotower.sources.reader",
    "read_profiles": "twotower.sources.profile_jsonl",
}

if not TYPE_CHECKING:  # a type checker would accept any name otherwise

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


def train(
    profiles: "Sequence[Profile]",
    *,
    steps: int | None = None,
    seed: int = 0,
    progress: "Progress | None" = None,
) -> "Embedder":
    """Train a model on profiles: at least 40 that have 4 artists or more.

    `steps` is the number of training steps, by default that of the shipped model. `progress` is
    called with the share done, 0..1, and a message. The same seed gives the same model.

        embedder = train(list(read_profiles(Path("listeners.jsonl"))), steps=200)
        embedder.embed(profiles, "user")  # (n, 64), float32, unit rows
        embedder.save(Path("model"))

    Raises BadProfile if there are too few profiles, or if one came through Spotify's Web API,
    whose terms forbid training on it.
    """
    from dataclasses import replace

    from twotower.core.jobs import silent
    from twotower.model.pipeline import fit
    from twotower.model.train_config import TrainConfig

    config = TrainConfig(seed=seed)
    config = config if steps is None else replace(config, steps=steps)
    return fit(profiles, config=config, progress=progress or silent)


def evaluate(
    embedder: "Embedder",
    data: "Path | str | None" = None,
    *,
    tasks: Sequence[str] | None = None,
    seed: int = 0,
    progress: "Progress | None" = None,
) -> "Report":
    """Measure how well a model finds listeners it was not trained on, beside plain baselines.

    `data` is the folder of the public data sets, by default that of the settings; docs/data.md
    says where to get them. `tasks` are names such as "halves", by default the standard ones.
    `progress` is called with the share done, 0..1, and a message.

        report = evaluate(Embedder.load(Path("model")), "data", tasks=["halves"])
        print(report.to_text())

    Raises MissingData if the folder lacks the data sets, ValueError for an unknown task.
    """
    from twotower.core.jobs import silent
    from twotower.core.settings import Settings
    from twotower.evaluation.runner import evaluate_embedder
    from twotower.evaluation.trials import ALL_TASKS, DEFAULT_TASKS

    names = tuple(tasks or DEFAULT_TASKS)
    if unknown := sorted(set(names) - set(ALL_TASKS)):
        raise ValueError(f"unknown task {', '.join(unknown)}; choose from {', '.join(ALL_TASKS)}")
    folder = Path(data) if data is not None else Settings.from_env().data
    return evaluate_embedder(embedder, folder, kinds=names, seed=seed, progress=progress or silent)
