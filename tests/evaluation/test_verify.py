"""Verification: an unchanged report matches, and every change is found."""

import json
import shutil
from pathlib import Path

import pytest
from planted import LISTS_OF, hetrec_files, make_sources
from vectors import FITS, TOWERS, write

from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.settings import Settings
from twotower.evaluation.methods.baselines import BASELINES
from twotower.evaluation.report import QUALITY, how_to_make, load_report
from twotower.evaluation.summary import task_labels
from twotower.evaluation.verify import FITTED, verify_report
from twotower.evaluation.verify_data import STORED_TASKS, VECTORS
from twotower.model.pipeline import fit
from twotower.model.train_config import TrainConfig
from twotower.sources.datasets.tables import FOLDERS


@pytest.fixture
def assets(judged_assets, tmp_path) -> Path:
    """Return a copy of the assets to change."""
    return shutil.copytree(judged_assets, tmp_path / "assets")


def change(assets: Path, part: str, which, **values) -> None:
    """Change the first row, mean or difference of the report that `which` accepts."""
    path = assets / QUALITY
    told = json.loads(path.read_text())
    next(each for each in told[part] if which(each)).update(values)
    path.write_text(json.dumps(told))


def mrr_of_halves(each: dict) -> bool:
    return (each["check"], each["metric"]) == ("halves", "MRR")


def of_the_towers(each: dict) -> bool:
    return mrr_of_halves(each) and each["method"] == TOWERS


def of_the_best(each: dict) -> bool:
    """Return True for the strongest baseline, whose vectors are stored."""
    return mrr_of_halves(each) and each["method"] == "C"


def test_an_unchanged_report_is_verified(judged_assets):
    found = verify_report(judged_assets)
    assert found.differing == () and found.judged > 100
    assert {figure.source for figure in found.metrics} == {"ranked", "added up"}
    sources = {f"halves-today, {source}" for source in LISTS_OF}
    assert {figure.check for figure in found.of("ranked")} == {*STORED_TASKS, *sources}
    report = load_report(judged_assets / QUALITY)
    sums = len(report.means) + len(report.differences) + len(report.beside)
    assert len(found.of("added up")) == sums
    assert any("public data is missing" in note for note in found.notes)
    assert found.seconds < 60


def test_its_lines_are_the_means_of_the_report(judged_assets):
    report, lines = load_report(judged_assets / QUALITY), verify_report(judged_assets).lines
    assert {line.metric for line in lines("ranked")} == {"MRR"}
    for line in lines("ranked"):
        assert line.stored == pytest.approx(report.mean(line.check, line.method))
        assert line.recomputed == pytest.approx(line.stored, abs=0.02)
        assert line.verdict == "same"


@pytest.mark.parametrize("by", [0.05, -0.05])
def test_a_changed_metric_differs(assets, by):
    report = load_report(assets / QUALITY)
    (was,) = (
        row.value
        for row in report.rows
        if (row.check, row.method, row.split, row.metric) == ("halves", TOWERS, 0, "MRR")
    )
    change(assets, "rows", of_the_towers, value=was + by)
    found = verify_report(assets).differing
    assert [each.source for each in found][:2] == ["ranked", "added up"]  # sums come last
    said = f"halves, {TOWERS}, split 0: MRR {was + by:.3f} in the report, {was:.3f} recomputed"
    assert any(str(each).startswith(said) for each in found)


def test_a_changed_mean_and_a_changed_difference_differ(assets):
    def of(each):
        return each["check"] == "halves-other, germany" and each["metric"] == "MRR"

    change(assets, "means", of, value=0.987)
    change(assets, "differences", of, value=0.123)
    found = [str(each) for each in verify_report(assets).differing]
    assert sum("MRR 0.987 in the report" in each for each in found) == 1
    assert sum("MRR 0.123 in the report" in each for each in found) == 1


def test_a_changed_interval_differs(assets):
    change(assets, "beside", of_the_best, low=0.0, high=0.001, value=0.0005)
    found = verify_report(assets)
    assert any(each in found.differences for each in found.differing)


def test_a_removed_row_differs(assets):
    path = assets / QUALITY
    told = json.loads(path.read_text())
    told["rows"] = [each for each in told["rows"] if each["check"] != "halves"]
    path.write_text(json.dumps(told))
    found = verify_report(assets)
    lines = {line.check: line for line in found.lines("ranked")}
    assert lines["halves"].stored is None and lines["halves"].verdict == "differs"
    json.dumps(found.to_dict(), allow_nan=False)


def test_changed_and_truncated_vectors_are_refused(assets):
    path = assets / VECTORS
    whole = path.read_bytes()
    for spoilt in (whole[:1000], whole[:-1] + b"x"):
        path.write_bytes(spoilt)
        with pytest.raises(IncompatibleModel, match="is not the file that was written with"):
            verify_report(assets)


def test_a_folder_without_the_data_is_ignored(judged_assets, tmp_path):
    found = verify_report(judged_assets, tmp_path)
    assert not found.differing and not found.of("fitted")
    assert any("public data is missing" in note for note in found.notes)


def test_without_vectors_and_data_the_error_says_what_to_do(assets, tmp_path):
    (assets / VECTORS).unlink()
    for data in (None, tmp_path / "none"):
        with pytest.raises(MissingData, match=r"--out .*; or name the folder .* TWOTOWER_DATA"):
            verify_report(assets, data)
    (assets / QUALITY).unlink()
    with pytest.raises(MissingData, match="there is no quality report yet"):
        verify_report(assets)


def test_progress_rises_from_0_to_1_and_may_cancel(judged_assets):
    told = []
    verify_report(judged_assets, progress=lambda share, text: told.append(share))
    assert told == sorted(told) and told[0] == 0 and told[-1] == 1 and len(told) > 20

    def stop(share: float, text: str) -> None:
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_report(judged_assets, progress=stop)


@pytest.fixture(scope="module")
def with_data(tmp_path_factory) -> tuple[Path, Path]:
    """Return (assets, data): a report of real files, with a model trained on half of them."""
    folder = tmp_path_factory.mktemp("data")
    sources = make_sources()
    hetrec_files(folder / "data" / FOLDERS["hetrec"], sources.listeners)
    assets = folder / "assets"
    fits = FITS | {name: BASELINES[name] for name in FITTED}
    write(assets, folder / "data", fits=fits, splits=(0,))
    seen = [p for p in sources.listeners if int(p.id) % 2]
    fit(seen, config=TrainConfig(steps=4), estimates=False).save(assets / "model")
    return assets, folder / "data"


def test_with_the_data_baselines_are_fitted_again(with_data):
    told = []
    found = verify_report(*with_data, progress=lambda share, text: told.append((share, text)))
    assert found.differing == ()
    assert {line.method for line in found.lines("fitted")} == set(FITTED)
    assert {line.verdict for line in found.lines("fitted")} == {"same"}
    assert any("Fitted again on the training listeners" in note for note in found.notes)
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert any("SVD-64" in text for _, text in told)


def test_a_changed_metric_of_a_fitted_baseline_differs(with_data, tmp_path):
    assets = shutil.copytree(with_data[0], tmp_path / "assets")
    change(
        assets,
        "rows",
        lambda each: mrr_of_halves(each) and each["method"] == "idf cosine",
        value=0.3,
    )
    found = verify_report(assets, with_data[1])
    assert "fitted" in {each.source for each in found.differing}


def test_metrics_of_other_data_get_no_verdict(with_data, tmp_path):
    assets, data = with_data
    other = shutil.copytree(data, tmp_path / "data")
    plays = other / FOLDERS["hetrec"] / "user_artists.dat"
    plays.write_text("\n".join(plays.read_text().splitlines()[:-60]) + "\n")
    found = verify_report(assets, other)
    assert {line.verdict for line in found.lines("fitted")} == {"beside"}
    assert found.differing == ()
    assert any("user_artists.dat differ or are missing" in note for note in found.notes)


def test_the_data_alone_is_enough(with_data, tmp_path):
    assets = shutil.copytree(with_data[0], tmp_path / "assets")
    (assets / VECTORS).unlink()
    shutil.rmtree(assets / "model")
    found = verify_report(assets, with_data[1])
    assert not found.of("ranked") and found.of("fitted") and not found.differing
    assert any("No ranking metric was recomputed" in note for note in found.notes)
    assert any("The shipped model was not evaluated" in note for note in found.notes)


def test_the_text_fits_a_terminal(assets):
    good = verify_report(assets)
    assert all(len(line) <= 100 for line in good.to_text().splitlines())
    assert good.to_text().splitlines()[-1].startswith("All ")
    change(assets, "rows", mrr_of_halves, value=0.5)
    text = verify_report(assets).to_text()
    assert "differs: halves, " in text and "  OFF" in text
    assert "metrics differ from the report." in text.splitlines()[-1]


def test_the_shipped_report_matches_the_shipped_vectors():
    shipped = Settings.from_env({}).assets
    if not (shipped / VECTORS).exists():
        pytest.skip(f"{VECTORS} is not shipped: {how_to_make(QUALITY)} writes it")
    found = verify_report(shipped)
    assert [str(each) for each in found.differing] == []
    report = load_report(shipped / QUALITY)
    ranked = {line.check for line in found.lines("ranked")}
    assert ranked >= set(STORED_TASKS) & set(task_labels(report))
