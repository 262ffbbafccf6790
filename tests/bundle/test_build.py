"""The shipped assets: complete, small, of one run, with the recorded neighbours."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from planted import main_plane, ring

from twotower.bundle import synthetic
from twotower.bundle.build import LISTENERS, build_community
from twotower.bundle.shipped import RECORDED, Shipped
from twotower.core.settings import Settings
from twotower.evaluation.model_card import quality_table, shape_table
from twotower.evaluation.report import QUALITY, load_report
from twotower.matching.matcher import Matcher
from twotower.model.embedder import Embedder
from twotower.retrieval import projection
from twotower.sources.datasets.public import Sources

SHIPPED = Settings.from_env().assets
LIMIT = 25 * 2**20  # bytes


@pytest.fixture(scope="module")
def matcher(tmp_path_factory) -> Matcher:
    home = tmp_path_factory.mktemp("home")
    return Matcher.load(Settings(home / "data", SHIPPED, f"sqlite:///{home / 'c.sqlite'}"))


def test_the_assets_are_small_and_readable_and_hold_no_pickle():
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LIMIT
    kinds = {".json", ".npz", ".safetensors", ".gz", ".xz", ".svg", ".png", ".md", ""}
    assert {path.suffix for path in files} <= kinds
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in files)


def test_model_and_community_belong_together(matcher):
    assert matcher.shipped.model_version == matcher.embedder.version
    assert len(matcher.embedder.items.log_precision) == len(matcher.catalogue) + 1


def test_ten_thousand_synthetic_listeners_have_different_names(matcher):
    snapshot = matcher.snapshot()
    assert (
        len(snapshot)
        == len(set(snapshot.ids))
        == len({p.name for p in matcher.people(snapshot.ids)})
        == LISTENERS
    )
    assert snapshot.synthetic.all()
    assert {matcher.person(id).origin for id in snapshot.ids[:50]} == {"invented"}


def test_their_vectors_are_those_of_the_model(matcher):
    people = list(matcher.shipped.profiles())[::50]
    snapshot = matcher.snapshot()
    rows = [snapshot.row_of(p.id) for p in people]
    for tower, kept in (("user", snapshot.user), ("candidate", snapshot.candidate)):
        cosines = np.sum(matcher.embedder.embed(people, tower) * kept[rows], axis=1)
        # A few were made with "Unknown" among their artists, which is no artist any more.
        assert np.quantile(cosines, 0.05) > 0.999
        assert cosines.min() > 0.99


def test_no_synthetic_listener_has_more_than_half_of_a_real_ones_artists(matcher):
    assert matcher.shipped.about["most shared with one real listener"] <= 0.5


def test_the_model_knows_every_artist_of_the_demos(matcher):
    for demo in matcher.demos():
        found = matcher.embedder.coverage(demo)
        assert found.plays == 1 and found.unknown == () and found.by_content < 0.2


def test_the_demos_find_the_neighbours_that_were_recorded(matcher):
    recorded = matcher.shipped.about["recorded"]
    assert set(recorded) == {demo.id for demo in matcher.demos()}
    for demo in matcher.demos():
        expected = dict(map(tuple, recorded[demo.id]))
        found = matcher.neighbours(matcher.portrait(demo), RECORDED + 10)
        similarity = {n.listener.id: n.similarity for n in found}
        assert len(expected) == RECORDED
        assert {id: similarity[id] for id in expected} == pytest.approx(expected, abs=1e-3)
        assert [n.listener.id for n in found[:RECORDED]] == list(expected)


def test_order_number_and_percentile_of_the_demos_agree(matcher):
    for demo in matcher.demos():
        found = matcher.neighbours(matcher.portrait(demo), 50)
        for number in ("similarity", "percentile"):
            values = [getattr(neighbour, number) for neighbour in found]
            assert all(first > second for first, second in pairwise(values))


def test_the_demos_have_different_neighbours_with_artists_in_common(matcher):
    found = [matcher.neighbours(matcher.portrait(demo)) for demo in matcher.demos()]
    ids = [n.listener.id for each in found for n in each]
    assert len(set(ids)) > 40
    for each in found:
        assert all(n.percentile > 90 for n in each) and sum(bool(n.shared) for n in each) > 5


def test_everyone_has_a_place_and_the_map_has_names(matcher):
    assert np.isfinite(matcher.snapshot().places).all()
    assert len({area.name for area in matcher.areas()}) == len(matcher.areas()) > 9
    assert {area.level for area in matcher.areas()} == {0, 1}
    for demo in matcher.demos():
        assert np.isfinite(matcher.place(matcher.portrait(demo))).all()


@pytest.fixture
def built(trained, tmp_path: Path, monkeypatch) -> Shipped:
    """A community of 60, made from listeners and lists, with one held-out list."""
    monkeypatch.setattr(projection, "fit_map", main_plane)
    monkeypatch.setattr(synthetic, "MIN_ARTISTS", 8)
    sources = Sources(
        tuple(ring(160, artists=16, hits=16)), lists=tuple(ring(40, artists=12, origin="kexp"))
    )
    embedder = trained.save(tmp_path / "model")
    return build_community(sources, embedder, tmp_path, seed=1, listeners=60)


def test_a_community_is_built_from_a_model_and_real_profiles(built):
    version = Embedder.load(built.folder.parent / "model").version
    again = Shipped.load(built.folder.parent, model_version=version)
    assert again.digest == built.digest and again.about == built.about
    assert built.about["listeners"] == len(list(built.profiles())) == 60
    assert built.about["most shared with one real listener"] <= 0.5
    assert set(built.about["suggestions"]) <= {f"artist {n}" for n in range(200)}


def test_shapes_of_real_and_synthetic_listeners_are_compared_by_group(built):
    groups = built.about["groups"]
    assert set(groups) == {"listeners of 2005 to 2011", "lists of 2018 to 2026"}
    for shapes in (built.about, *groups.values()):
        for who in ("real", "invented"):
            assert all(list(each) == sorted(each) for each in shapes[who].values())
    sizes = {name: group["real"]["artists"] for name, group in groups.items()}
    assert sizes["lists of 2018 to 2026"] == [12] * 5
    assert sizes["listeners of 2005 to 2011"] == [32] * 5


def test_the_model_card_agrees_with_the_other_files():
    card = (SHIPPED / "MODEL_CARD.md").read_text(encoding="utf-8")
    community = json.loads((SHIPPED / "community" / "community.json").read_text("utf-8"))
    assert shape_table(community["about"]) in card
    assert quality_table(load_report(SHIPPED / QUALITY)) in card
