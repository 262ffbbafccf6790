"""The half-vectors that ship: whose they are can't be told, and a changed file is noticed."""

import hashlib
import io
import json

import numpy as np
import pytest
from planted import make_sources
from vectors import FITS, TOWERS, WITHOUT

from twotower import halfvectors
from twotower.checks import Retrieval, hold_out
from twotower.errors import IncompatibleModel, MissingData
from twotower.evaluation import evaluate
from twotower.metrics import ranks_of_positives

CHECKS = ("halves", "halves-head", "halves-playlists", "halves-other", "cold")


@pytest.fixture(scope="module")
def sources():
    return make_sources()


@pytest.fixture(scope="module")
def written(sources, tmp_path_factory):
    """(path, report, vectors as they were kept) of two splits."""
    keeper, made = halfvectors.Keeper(seed=3), {}

    def keep(name, number, task, method):
        keeper(name, number, task, method)
        if name == TOWERS and isinstance(task, Retrieval):
            made[number, task.check] = task

    report = evaluate(sources, fits=FITS, checks=CHECKS, splits=(0, 1), on_asked=keep)
    path = tmp_path_factory.mktemp("assets") / halfvectors.FILE
    return path, keeper.write(path, report), made


def test_rows_of_both_sides_are_of_the_same_listener_in_an_order_that_was_drawn(written, sources):
    path, report, made = written
    found = halfvectors.read(path, report)
    method = FITS[TOWERS](hold_out(sources, 1).training)
    for check in ("halves", "halves-head", "halves-playlists", "cold-5"):
        task = made[1, check]
        halves = found[1, check, TOWERS]
        sides = (halves.queries, halves.candidates)
        full = (
            method.vectors(task.queries, asking=True),
            method.vectors(task.candidates, asking=False),
        )
        nearest = [(side @ whole.T).argmax(axis=1) for side, whole in zip(sides, full, strict=True)]
        assert (nearest[0] == nearest[1]).mean() > 0.95  # a few vectors are the same as another's
        assert sorted(set(nearest[0])) != list(nearest[0])
        assert np.abs(sides[0] - full[0][nearest[0]]).max() < 1e-3


def test_the_towers_and_the_best_baselines_with_vectors_are_there_and_nothing_else(written):
    path, report, _ = written
    found = halfvectors.read(path, report)
    methods = {name for _, _, name in found}
    assert TOWERS in methods and not methods & set(WITHOUT)
    for check in {check for _, check, _ in found}:
        best = sorted(FITS.keys() - {TOWERS, *WITHOUT}, key=lambda m: -report.mean(check, m))[:3]
        assert {name for _, told, name in found if told == check} == {TOWERS, *best}
    assert {check for _, check, _ in found} == set(halfvectors.CHECKS)
    assert {number for number, _, _ in found} == {0, 1}
    with np.load(path, allow_pickle=False) as arrays:
        assert {arrays[name].dtype for name in arrays.files} == {np.dtype(np.float16)}


def test_ranks_from_the_file_are_those_of_the_report(written):
    path, report, _ = written
    stored = {(r.split, r.check, r.method): r.value for r in report.rows if r.metric == "MRR"}
    for key, halves in halfvectors.read(path, report).items():
        scores = halves.queries @ halves.candidates.T
        again = (1 / ranks_of_positives(scores, np.arange(len(scores)))).mean()
        assert again == pytest.approx(stored[key], abs=0.01)


def test_the_same_run_writes_the_same_file(written, sources, tmp_path):
    path, report, _ = written
    keeper = halfvectors.Keeper(seed=3)
    again = evaluate(sources, fits=FITS, checks=CHECKS, splits=(0, 1), on_asked=keeper)
    assert keeper.write(tmp_path / "again.npz", again).header == report.header
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_too_large_a_file_leaves_baselines_out_and_keeps_the_towers(written, tmp_path, monkeypatch):
    _, report, _ = written
    keeper = halfvectors.Keeper()
    for name in FITS:
        keeper._kept[0, "halves", name] = (np.eye(50, dtype=np.float16),) * 2
    monkeypatch.setattr(halfvectors, "LARGEST", 0)
    tied = keeper.write(tmp_path / "small.npz", report)
    assert len(halfvectors.read(tmp_path / "small.npz", tied)) == 2  # the towers and one other
    assert (0, "halves", TOWERS) in halfvectors.read(tmp_path / "small.npz", tied)


def test_a_changed_or_half_written_file_is_told(written, tmp_path):
    path, report, _ = written
    whole, other = path.read_bytes(), tmp_path / halfvectors.FILE
    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for damaged in (whole[:middle], changed, b"", whole + b"\0"):
        other.write_bytes(damaged)
        with pytest.raises(IncompatibleModel, match="changed or damaged since: write both with"):
            halfvectors.read(other, report)


def tied_to(written_bytes, report):
    """A report that says that it was written with these bytes."""
    told = report.to_dict()
    told["header"][halfvectors.TIED] = hashlib.sha256(written_bytes).hexdigest()
    return type(report)(told["header"], report.rows, report.means, report.differences)


def pickled() -> bytes:
    out = io.BytesIO()
    np.savez(out, **{"0/halves/query/m": np.array([{}], object)})
    return out.getvalue()


def test_another_file_that_the_report_is_tied_to_is_no_half_vectors(written, tmp_path):
    path, report, _ = written
    whole = np.eye(3, dtype=np.float16)
    wrong = [
        halfvectors._packed({"0/halves/query/m": np.eye(3)}),
        halfvectors._packed({"0/halves/query/m": whole}),
        halfvectors._packed({"0/halves/query/m": whole, "0/halves/candidate/m": whole[:2]}),
        halfvectors._packed({"0/halves/query/m": whole[0]}),
        halfvectors._packed({"0/halves/query/m": whole * np.float16(np.nan)}),
        halfvectors._packed({"halves": whole}),
        pickled(),
        path.read_bytes()[:-100],
        b"no zip",
    ]
    other = tmp_path / halfvectors.FILE
    for text in wrong:
        other.write_bytes(text)
        with pytest.raises(IncompatibleModel, match="can't be read: write it with"):
            halfvectors.read(other, tied_to(text, report))


def test_a_report_without_vectors_and_a_missing_file_say_what_to_run(written, tmp_path):
    _, report, _ = written
    bare = type(report)({}, report.rows, report.means, report.differences)
    with pytest.raises(MissingData, match=r"has no half-vectors: write both with `python -m"):
        halfvectors.read(tmp_path / halfvectors.FILE, bare)
    with pytest.raises(MissingData, match=r"is not there: write it with `python -m"):
        halfvectors.read(tmp_path / halfvectors.FILE, report)


def test_the_digest_is_part_of_the_report_that_is_read_back(written, tmp_path):
    path, report, _ = written
    told = json.loads(report.to_json())
    assert told["header"][halfvectors.TIED] == hashlib.sha256(path.read_bytes()).hexdigest()
