"""Runs that are saved and joined give the report of one run."""

import numpy as np
import pytest
from planted import make_lists, make_sources
from vectors import FITS, REFERENCE, TOWERS

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.evaluation import runner
from twotower.evaluation.run_files import Run, join_runs, load_run, save_run
from twotower.evaluation.verify_data import VECTORS

SOURCES = make_sources(make_lists())
FEW = {
    name: fit for name, fit in FITS.items() if name in (TOWERS, TOWERS + " + LS", REFERENCE, "A")
}
KINDS = ("halves-playlists", "halves-today")


def measured(splits, kinds=KINDS, seed=3):
    return runner.measure(
        SOURCES, fits=FEW, kinds=kinds, splits=splits, seed=seed, command=f"evaluate {splits}"
    )


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [measured((number,)) for number in (0, 1)]


@pytest.fixture(scope="module")
def loaded(runs, tmp_path_factory) -> list[Run]:
    paths = [tmp_path_factory.mktemp("runs") / f"{number}.npz" for number in (0, 1)]
    for path, run in zip(paths, runs, strict=True):
        save_run(path, run)
    return [load_run(path) for path in paths]


def test_joined_splits_give_the_same_report_and_vectors_as_one_run(loaded, tmp_path):
    at_once, joined = measured((0, 1)), join_runs(loaded)
    written = []
    for name, run in (("one", at_once), ("joined", joined)):
        report = run.vectors.write(tmp_path / name / VECTORS, runner.report_of(run))
        written.append((report.to_dict(), (tmp_path / name / VECTORS).read_bytes()))
    (one, vectors), (other, other_vectors) = written
    assert one["header"].pop("command") == "evaluate (0, 1)"
    assert other["header"].pop("command") == "evaluate (0,) && evaluate (1,)"
    assert one["header"]["reference"] == REFERENCE and one["differences"] and one["beside"]
    assert one == other
    assert vectors == other_vectors


def test_a_task_that_was_measured_on_one_split_only_may_be_joined(loaded):
    joined = join_runs([*loaded, measured((0,), kinds=("halves-head",))])
    rows = runner.report_of(joined).rows
    assert {row.split for row in rows if row.check == "halves-head"} == {0}
    assert joined.header["splits"] == [0, 1]
    assert joined.header["checks"] == [*KINDS, "halves-head"]


def test_runs_of_other_settings_or_the_same_split_are_not_joined(loaded):
    with pytest.raises(ValueError, match="the runs differ in seed"):
        join_runs([loaded[0], measured((1,), kinds=("halves-head",), seed=4)])
    with pytest.raises(ValueError, match=r"two runs have .* in halves-playlists of split 0"):
        join_runs([loaded[0], loaded[0]])


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(MissingData, match=r"run\.npz: there is no such file"):
        load_run(path)
    np.savez(path, index=np.array("{}"))
    whole = path.read_bytes()
    for content in (b"", b"no zip", whole, whole[:60]):
        path.write_bytes(content)
        with pytest.raises(IncompatibleModel, match="write it again with evaluate --save-values"):
            load_run(path)
