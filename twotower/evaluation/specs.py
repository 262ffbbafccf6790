"""Typed names of evaluation tasks and methods, and the parser for labels in stored reports.

    parse_task("groups, tidytuesday, + audio")
    # TaskSpec(TaskKind.FEATURES, dataset="tidytuesday", shown=frozenset({"artists", "audio"}))
    parse_method("two towers + companions + LS")
    # MethodSpec("two towers", item_item="companions", correction="LS")

`spec.label` is the text in reports, and `parse_task(spec.label) == spec`. A label of unknown form
becomes `TaskSpec(TaskKind.UNKNOWN, text=label)` or a `MethodSpec` with the whole label as its base.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Literal, get_args

Feature = Literal["artists", "audio", "playlists", "tags"]
Condition = Literal[
    "",
    "full pool",
    "no content",
    "no plays in the query",
    "no plays in the candidate",
    "confidence",
]
Correction = Literal["", "MP", "LS"]  # mutual proximity, local scaling
ItemItem = Literal["", "companions", "EASE"]  # item-item weights of the app, or of a baseline

FEATURES: tuple[Feature, ...] = get_args(Feature)  # in the order of a label
_CUT = re.compile(r"cut to (\d+)")
_COLD = re.compile(r"cold-(\d+)")
_SHARE = re.compile(r"(?P<rest>.+), (?P<share>\d+) % of the listeners")


class TaskKind(StrEnum):
    """Kinds of evaluation tasks; the values are the names that `evaluate --check` takes."""

    HALVES = "halves"  # split-half retrieval among the test listeners
    HEAD = "halves-head"  # the same with the best known artists only
    OTHER_DATA = "halves-other"  # the same on a data set that nothing was trained on
    PLAYLISTS = "halves-playlists"  # the same with playlists as listeners
    TODAY = "halves-today"  # the same with lists of 2018 to 2026; without a data set: their mean
    COLD = "cold"  # the same with few artists in the query
    FRIENDS = "friends"
    GEOMETRY = "geometry"
    FEATURES = "groups"  # split-half retrieval with side features in the query
    ONE_SIDED_PLAYS = "sides"  # split-half retrieval with play counts on one side only
    UNSEEN = "unseen"  # query artists that no training listener plays
    DISCOVER = "discover"
    COVERAGE = "coverage"  # shares of the plays that are known, and calibration of the confidence
    UNKNOWN = ""  # a label that this program can't read


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One evaluation task."""

    kind: TaskKind
    dataset: str = ""  # for OTHER_DATA, TODAY, FEATURES and COVERAGE
    shown: frozenset[Feature] = frozenset()  # for FEATURES: what the query contains
    cut: int | None = None  # artists left in a query, for COLD; in a profile, for OTHER_DATA
    condition: Condition = ""
    text: str = ""  # for UNKNOWN: the label as stored

    @property
    def label(self) -> str:
        """The name of the task in reports, tables and `halves.npz`."""
        if self.kind is TaskKind.UNKNOWN:
            return self.text
        return f"cold-{self.cut}" if self.kind is TaskKind.COLD else ", ".join(self._parts())

    @property
    def shown_label(self) -> str:
        """The part of the label for side features: "artists only", "+ audio" or "tags alone"."""
        added = [name for name in FEATURES if name in self.shown and name != "artists"]
        if "artists" not in self.shown:
            return f"{' and '.join(added)} alone" if added else ""
        return " ".join(f"+ {name}" for name in added) or "artists only"

    @property
    def adds_features(self) -> bool:
        """True if the query has side features beside its artists."""
        return "artists" in self.shown and len(self.shown) > 1

    @property
    def artists_only(self) -> "TaskSpec":
        """The same task without side features, to compare with."""
        return TaskSpec(self.kind, self.dataset, frozenset({"artists"}))

    def _parts(self) -> Iterator[str]:
        yield self.kind.value
        if self.dataset:
            yield self.dataset
        if self.shown:
            yield self.shown_label
        if self.cut is not None:
            yield f"cut to {self.cut}"
        if self.condition:
            yield self.condition


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One method: a base, and what was added to it."""

    base: str  # "two towers", "ALS-64", "popularity"
    one_way: bool = False  # user tower against candidate tower only
    item_item: ItemItem = ""  # item-item similarity is added to the score
    overlap: bool = False  # artist overlap is added to the score
    playlists: bool = False  # trained on playlists too
    correction: Correction = ""  # hub correction of the scores
    share: int | None = None  # per cent of the training listeners, in a learning curve

    @property
    def label(self) -> str:
        """The name of the method in reports, tables and `halves.npz`."""
        added = (
            self.item_item,
            "same artists" if self.overlap else "",
            "playlists" if self.playlists else "",
            self.correction,
        )
        way = ", one way" if self.one_way else ""
        share = "" if self.share is None else f", {self.share} % of the listeners"
        return f"{' + '.join([self.base + way, *filter(None, added)])}{share}"

    @property
    def plain(self) -> "MethodSpec":
        """The same base, trained on the same listeners, with nothing added."""
        return MethodSpec(self.base, share=self.share)

    @property
    def scaled(self) -> "MethodSpec":
        """The same method after local scaling."""
        return replace(self, correction="LS")

    @property
    def whole(self) -> "MethodSpec":
        """The same method trained on all listeners."""
        return replace(self, share=None)

    def trained_on(self, share: int) -> "MethodSpec":
        """Return the same method trained on so many per cent of the listeners."""
        return replace(self, share=share)


@lru_cache(maxsize=1024)
def parse_task(label: str) -> TaskSpec:
    """Return the task with this label; of kind UNKNOWN if no task has it."""
    unknown = TaskSpec(TaskKind.UNKNOWN, text=label)
    if match := _COLD.fullmatch(label):
        spec = TaskSpec(TaskKind.COLD, cut=int(match[1]))
        return spec if spec.label == label else unknown
    kind, *rest = label.split(", ")
    if kind not in set(TaskKind) - {TaskKind.COLD, TaskKind.UNKNOWN}:
        return unknown
    spec = _with_details(TaskKind(kind), rest)
    return spec if spec.label == label else unknown


def _with_details(kind: TaskKind, rest: list[str]) -> TaskSpec:
    dataset, shown, cut, condition = "", frozenset[Feature](), None, ""
    with_dataset = (TaskKind.OTHER_DATA, TaskKind.TODAY, TaskKind.FEATURES, TaskKind.COVERAGE)
    if kind in with_dataset and rest:
        dataset, *rest = rest
    for part in rest:
        if match := _CUT.fullmatch(part):
            cut = int(match[1])
        elif part in get_args(Condition):
            condition = part
        else:
            shown = _parse_shown(part)
    return TaskSpec(kind, dataset, shown, cut, condition)  # type: ignore[arg-type]


def _parse_shown(text: str) -> frozenset[Feature]:
    words = set(text.replace("+", " ").split())
    named = frozenset(name for name in FEATURES if name in words)
    return named | {"artists"} if text.startswith("+") else named


@lru_cache(maxsize=1024)
def parse_method(label: str) -> MethodSpec:
    """Return the method with this label; what can't be read remains part of its base."""
    rest, share = label, None
    if match := _SHARE.fullmatch(rest):
        rest, share = match["rest"], int(match["share"])
    added: dict[str, str] = {}
    for name, options in (
        ("correction", ("MP", "LS")),
        ("playlists", ("playlists",)),
        ("overlap", ("same artists",)),
        ("item_item", ("companions", "EASE")),
    ):
        for option in options:
            if rest.endswith(f" + {option}"):
                rest, added[name] = rest.removesuffix(f" + {option}"), option
                break
    base = rest.removesuffix(", one way")
    return MethodSpec(
        base,
        one_way=base != rest,
        item_item=added.get("item_item", ""),  # type: ignore[arg-type]
        overlap="overlap" in added,
        playlists="playlists" in added,
        correction=added.get("correction", ""),  # type: ignore[arg-type]
        share=share,
    )


def scaled_label(label: str) -> str:
    """Return the label of a method after local scaling."""
    return parse_method(label).scaled.label
