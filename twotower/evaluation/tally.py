"""Collect one value per listener, and turn them into a report with paired intervals."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from twotower.evaluation.bootstrap import Interval, bootstrap
from twotower.evaluation.report import COMPARED, Difference, Gain, Mean, Report, Row
from twotower.evaluation.specs import TaskKind, parse_task

RESAMPLES = 2000  # of the bootstrap


class _Key(NamedTuple):
    check: str
    metric: str
    method: str


class Entry(NamedTuple):
    """The values of one method in one task of one split."""

    check: str
    metric: str
    method: str
    split: int
    ids: tuple[str, ...]  # of the listeners
    values: np.ndarray  # (listeners,)


class Tally:
    """Values per listener of all tasks, metrics, methods and splits."""

    def __init__(self) -> None:
        self._values: dict[_Key, dict[int, np.ndarray]] = {}
        self._ids: dict[tuple[str, str, int], tuple[str, ...]] = {}

    def add(
        self,
        check: str,
        metric: str,
        method: str,
        split: int,
        ids: Sequence[str],
        values: np.ndarray,
    ) -> None:
        """Add values (listeners,) of one method in one split.

        Raises ValueError if an earlier method was evaluated on other listeners.
        """
        if len(ids) != len(values):
            raise ValueError(f"{len(ids)} ids for {len(values)} values")
        if self._ids.setdefault((check, metric, split), tuple(ids)) != tuple(ids):
            raise ValueError(f"{method} was evaluated on other listeners in {check}")
        by_split = self._values.setdefault(_Key(check, metric, method), {})
        by_split[split] = np.asarray(values, float)

    def entries(self) -> Iterator[Entry]:
        """Yield all values, in the order in which methods and tasks were added."""
        for key, by_split in self._values.items():
            for split, values in by_split.items():
                yield Entry(
                    key.check,
                    key.metric,
                    key.method,
                    split,
                    self._ids[key.check, key.metric, split],
                    values,
                )

    def extend(self, other: "Tally") -> None:
        """Add the values of another tally.

        Raises ValueError if both have the same method in the same task and split, or if they have
        other listeners in one.
        """
        for entry in other.entries():
            check, metric, method, split, ids, values = entry
            if split in self._values.get(_Key(check, metric, method), {}):
                raise ValueError(f"two runs have {method} in {check} of split {split}")
            self.add(check, metric, method, split, ids, values)

    def report(
        self,
        header: Mapping[str, Any],
        *,
        reference: str,
        by_check: Mapping[str, str] | None = None,
        beside: str = "",
        seed: int = 0,
    ) -> Report:
        """Return rows, means over splits, and differences of the reference to each other method.

        by_check  check -> another reference, used if that method was evaluated there
        beside    a second method whose differences in MRR are reported too
        """
        own = {
            check: name
            for check, name in (by_check or {}).items()
            if any((key.check, key.method) == (check, name) for key in self._values)
        }
        return Report(
            {**header, "reference": reference},
            tuple(self._rows()),
            tuple(self._means()),
            tuple(
                difference
                for key in self._values
                if key.metric in COMPARED
                for difference in self._differences(key, own.get(key.check, reference), seed)
            ),
            tuple(self._gains(reference, seed)),
            tuple(
                difference
                for key in self._values
                if key.metric == "MRR"
                for difference in self._differences(key, beside, seed)
            ),
        )

    def _rows(self) -> Iterator[Row]:
        for key, by_split in self._values.items():
            for split, values in by_split.items():
                yield Row(
                    key.check, key.method, split, key.metric, float(values.mean()), len(values)
                )

    def _means(self) -> Iterator[Mean]:
        for key, by_split in self._values.items():
            mean = float(np.mean([values.mean() for values in by_split.values()]))
            yield Mean(key.check, key.method, key.metric, mean)

    def _differences(self, key: _Key, reference: str, seed: int) -> Iterator[Difference]:
        """Yield the reference minus the method of `key`, if the reference was evaluated there."""
        of_reference = key._replace(method=reference)
        if key.method != reference and of_reference in self._values:
            d = self._interval(of_reference, key, seed)
            yield Difference(key.check, reference, key.method, key.metric, d.mean, d.low, d.high)

    def _gains(self, reference: str, seed: int) -> Iterator[Gain]:
        """Yield the gain of each feature set over artists only, for the reference method."""
        for key in self._values:
            task = parse_task(key.check)
            plain = key._replace(check=task.artists_only.label)
            if (
                task.kind is TaskKind.FEATURES
                and key.method == reference
                and key.metric in COMPARED
                and key != plain
                and plain in self._values
            ):
                d = self._interval(key, plain, seed)
                yield Gain(key.check, plain.check, key.method, key.metric, d.mean, d.low, d.high)

    def _interval(self, one: _Key, other: _Key, seed: int) -> Interval:
        """Return the paired difference; ValueError if the listeners differ."""
        splits = [split for split in self._values[one] if split in self._values[other]]
        ids = [self._ids[(one.check, one.metric, split)] for split in splits]
        if ids != [self._ids[(other.check, other.metric, split)] for split in splits]:
            raise ValueError(f"{one.check} was evaluated on other listeners than {other.check}")
        row = {id: row for row, id in enumerate(sorted({id for part in ids for id in part}))}
        values = np.full((len(row), len(splits)), np.nan)  # (listeners, splits)
        for column, split in enumerate(splits):
            rows = [row[id] for id in ids[column]]
            values[rows, column] = self._values[one][split] - self._values[other][split]
        return bootstrap(values, resamples=RESAMPLES, seed=seed)
