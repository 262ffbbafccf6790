"""Shipped vectors: they hold no ids, and a changed file is refused."""

import hashlib
import io
import json

import numpy as np
import pytest
from planted import make_lists, make_sources
from vectors import BASELINES, CHECKS, FITS, TOWERS, WITHOUT, write

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.evaluation import verify_data
from twotower.evaluation.data import hold_out
from twotower.evaluation.metrics import ranks_of_positives
from twotower.evaluation.report import QUALITY, Difference, Mean, Report, load_report
from twotower.evaluation.specs import scaled_label
from twotower.evaluation.tasks import Retrieval
from twotower.evaluation.trials import make_tasks
from twotower.evaluation.verify_data import (
    HEADER_KEY,
    STORED_TASKS,
    VECTORS,
    VectorKey,
    VectorRecorder,
    read_vectors,
)


@pytest.fixture(scope="module")
def report(judged_assets) -> Report:
    return load_report(judged_assets / QUALITY)


@pytest.fixture(scope="module")
def path(judged_assets):
    return judged_assets / VECTORS


def test_rows_of_queries_and_candidates_belong_together_in_random_order(path, report):
    sources, found = make_sources(make_lists()), read_vectors(path, report)
    held = hold_out(sources, 1, seed=3)
    method = FITS[TOWERS](held.training)
    for task in make_tasks(sources, held, CHECKS):
        if (1, task.spec.label, TOWERS) not in found or not isinstance(task, Retrieval):
            continue
        kept = found[1, task.spec.label, TOWERS]
        queries = method.vectors(task.queries, asking=True)
        candidates = method.vectors(task.candidates, asking=False)
        rows = [(kept.queries @ queries.T).argmax(1), (kept.candidates @ candidates.T).argmax(1)]
        assert (rows[0] == rows[1]).mean() > 0.9  # cut ones may be the very same
        in_place = (rows[0] == np.arange(len(rows[0]))).sum()
        assert in_place <= max(3, 0.1 * len(rows[0]))
        assert np.abs(kept.queries - queries[rows[0]]).max() < 1e-3


def test_only_the_towers_and_the_best_baselines_are_stored(path, report):
    found = read_vectors(path, report)
    methods = {name for _, _, name in found}
    assert TOWERS in methods and not methods & set(WITHOUT)
    for check in {check for _, check, _ in found}:
        highest = {
            name: max(report.mean(check, each) for each in (name, scaled_label(name)))
            for name in BASELINES
        }
        best = sorted(BASELINES, key=lambda name: -highest[name])[:2]
        assert {name for _, told, name in found if told == check} == {TOWERS, *best}
    assert {check for _, check, _ in found} == set(STORED_TASKS)
    assert {number for number, _, _ in found} == {0, 1}
    with np.load(path, allow_pickle=False) as arrays:
        assert {arrays[name].dtype for name in arrays.files} == {np.dtype(np.float16)}


def test_a_baseline_that_is_best_after_local_scaling_is_stored(tmp_path):
    values = {TOWERS: 0.9, "low": 0.2, "low + LS": 0.8, "high": 0.6, "middle": 0.5}
    means = tuple(Mean("halves", name, "MRR", value) for name, value in values.items())
    gap = Difference("halves", TOWERS, "high", "MRR", 0.3, 0.2, 0.4)
    recorder, whole = VectorRecorder(), np.eye(3, dtype=np.float16)
    recorder.recorded = {
        VectorKey(0, "halves", name): (whole, whole) for name in values if "LS" not in name
    }
    tied = recorder.write(tmp_path / "kept.npz", Report({}, (), means, (gap,)))
    found = read_vectors(tmp_path / "kept.npz", tied)
    assert {name for _, _, name in found} == {TOWERS, "low", "high"}


def test_candidates_can_take_the_role_of_queries(path, report):
    found, sources = read_vectors(path, report), make_sources()
    held = hold_out(sources, 0, seed=3)
    (task, *_) = make_tasks(sources, held, ("halves",))
    for name in (TOWERS, "C"):
        kept, method = found[0, "halves", name], FITS[name](held.training)
        there = method.vectors(task.candidates, asking=False)
        rows = (kept.candidates @ there.T).argmax(1)
        asking = method.vectors(task.candidates, asking=True)[rows]
        assert np.abs(kept.candidates_as_queries - asking).max() < 1e-3
    towers = found[0, "halves", TOWERS]
    assert np.abs(towers.candidates_as_queries - towers.candidates).max() > 0.1


def test_ranks_from_the_file_are_those_of_the_report(path, report):
    stored = {(r.split, r.check, r.method): r.value for r in report.rows if r.metric == "MRR"}
    for key, halves in read_vectors(path, report).items():
        if key.check == "halves-today":
            continue  # a mean over sources, which test_verify_ranks recomputes
        scores = halves.queries @ halves.candidates.T
        again = (1 / ranks_of_positives(scores, np.arange(len(scores)))).mean()
        assert again == pytest.approx(stored[key], abs=0.01)


def test_the_same_run_writes_the_same_file(tmp_path):
    one, other = (tmp_path / name for name in ("one", "other"))
    sources = make_sources()
    told = [write(folder, sources, splits=(0,)).header for folder in (one, other)]
    assert told[0] == told[1]
    assert (one / VECTORS).read_bytes() == (other / VECTORS).read_bytes()


def test_a_file_that_gets_too_large_leaves_out_baselines(report, tmp_path, monkeypatch):
    recorder = VectorRecorder()
    for name in FITS:
        recorder.recorded[VectorKey(0, "halves", name)] = (np.eye(50, dtype=np.float16),) * 2
    monkeypatch.setattr(verify_data, "MAX_BYTES", 0)
    tied = recorder.write(tmp_path / "small.npz", report)
    assert len(read_vectors(tmp_path / "small.npz", tied)) == 2  # the towers and one other
    assert (0, "halves", TOWERS) in read_vectors(tmp_path / "small.npz", tied)


def test_a_changed_or_truncated_file_is_refused(path, report, tmp_path):
    whole, other = path.read_bytes(), tmp_path / VECTORS
    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for damaged in (whole[:middle], changed, b"", whole + b"\0"):
        other.write_bytes(damaged)
        with pytest.raises(IncompatibleModel, match="changed or damaged since: write both with"):
            read_vectors(other, report)


def tied_to(written_bytes, report):
    """Return a report that was written with these bytes."""
    told = report.to_dict()
    told["header"][HEADER_KEY] = hashlib.sha256(written_bytes).hexdigest()
    return Report(told["header"], report.rows, report.means, report.differences)


def pickled() -> bytes:
    out = io.BytesIO()
    np.savez(out, **{"0/halves/query/m": np.array([{}], object)})
    return out.getvalue()


def test_a_file_of_another_form_is_refused(path, report, tmp_path):
    whole = np.eye(3, dtype=np.float16)
    wrong = [
        verify_data._pack({"0/halves/query/m": np.eye(3)}),
        verify_data._pack({"0/halves/query/m": whole}),
        verify_data._pack({"0/halves/query/m": whole, "0/halves/candidate/m": whole[:2]}),
        verify_data._pack({"0/halves/query/m": whole[0]}),
        verify_data._pack({"0/halves/query/m": whole * np.float16(np.nan)}),
        verify_data._pack({"halves": whole}),
        pickled(),
        path.read_bytes()[:-100],
        b"no zip",
    ]
    other = tmp_path / VECTORS
    for text in wrong:
        other.write_bytes(text)
        with pytest.raises(IncompatibleModel, match="can't be read: write it with"):
            read_vectors(other, tied_to(text, report))


def test_missing_vectors_say_what_to_run(report, tmp_path):
    bare = Report({}, report.rows, report.means, report.differences)
    with pytest.raises(MissingData, match=r"has no half-vectors: write both with `python -m"):
        read_vectors(tmp_path / VECTORS, bare)
    with pytest.raises(MissingData, match=r"is not there: write it with `python -m"):
        read_vectors(tmp_path / VECTORS, report)


def test_the_digest_is_part_of_the_report_that_is_read_back(path, report, tmp_path):
    told = json.loads(report.to_json())
    assert told["header"][HEADER_KEY] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_only_the_same_listeners_have_the_same_order_in_each_split(path, report):
    found = read_vectors(path, report)

    def alike(check: str) -> float:
        """Return the share of queries that are nearest to the same row of the other split."""
        one, other = (found[number, check, TOWERS].queries for number in (0, 1))
        return float(((one @ other.T).argmax(axis=1) == np.arange(len(one))).mean())

    assert alike("halves-playlists") > 0.5 and alike("halves-today") > 0.5
    assert alike("halves") < 0.05


def test_if_nothing_was_recorded_nothing_is_written(report, tmp_path):
    assert VectorRecorder().write(tmp_path / VECTORS, report) is report
    assert not list(tmp_path.iterdir())
