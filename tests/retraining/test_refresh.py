"""Retraining: data, training, promotion and rollback."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from learning import (
    CONSENTING,
    JOINED,
    NAMES,
    NEW,
    RULES,
    SELDOM,
    SHARED,
    base,
    by_model,
    joining,
    member,
    quick_map,
    settle,
    shaken,
)
from planted import ring, ring_content, ring_tags
from servers import fresh, postgres

from twotower.bundle import shipped
from twotower.community import Community, new_id, queries
from twotower.community.model_registry import REFUSED, ModelRegistry
from twotower.community.queries import active_model, previous_model
from twotower.community.scale.partitions import create_partitioned
from twotower.core.errors import CommunityError, IncompatibleModel
from twotower.core.settings import Settings
from twotower.evaluation.data import split_half
from twotower.evaluation.methods.towers import TwoTowers
from twotower.evaluation.metrics import ranks_of_positives
from twotower.matching.matcher import Matcher
from twotower.model.artist_features import RIDGE_CAP
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit, prepare
from twotower.model.train_config import TrainConfig
from twotower.retraining import switch
from twotower.retraining.consent import is_held_out, select_consented
from twotower.retraining.full import retrain_full, rotation_onto
from twotower.retraining.gate import Check
from twotower.retraining.new_artists import add_artists
from twotower.retraining.refresh import refresh
from twotower.retraining.rollback import roll_back
from twotower.retraining.towers_only import retrain_towers
from twotower.retrieval import projection


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(projection, "fit_map", quick_map)
    monkeypatch.setattr(shipped, "PAIRS", 2000)


@pytest.fixture
def embedder(planted_assets) -> Embedder:
    return Embedder.load(planted_assets / "model")


@pytest.fixture
def said_yes(embedder):
    pairs = [(p.id, p) for p in joining()[:CONSENTING]]
    return select_consented(pairs, embedder.catalogue.row_of, RULES)


def mrr(embedder: Embedder, people) -> float:
    queries, candidates = split_half(people, 0)
    scores = TwoTowers(embedder).scores(queries, candidates)
    return float((1 / ranks_of_positives(scores, np.arange(len(scores)))).mean())


# Who and what is learned from


def test_a_new_artist_needs_enough_listeners(embedder, said_yes):
    having = [p for p in said_yes.training if NEW in p.artists]
    assert 5 <= len(having) <= SHARED
    assert [each.key for each in said_yes.new_artists] == [NEW]
    assert said_yes.new_artists[0].name == "Newly Found"
    assert set(said_yes.new_artists[0].genres) == {"metal", "jazz"}
    assert said_yes.rare_artists == 1
    everyone = (*said_yes.training, *said_yes.held_out)
    assert not any(SELDOM in p.artists for p in everyone)
    strict = select_consented(
        [(p.id, p) for p in joining()[:CONSENTING]],
        embedder.catalogue.row_of,
        replace(RULES, min_listeners=SHARED + 1),
    )
    assert strict.new_artists == () and strict.rare_artists == 2


def test_a_name_that_nobody_confirmed_stays_out(embedder):
    pairs = [(p.id, p) for p in joining()[:CONSENTING]]
    found = select_consented(pairs, embedder.catalogue.row_of, replace(RULES, names={}))
    assert found.new_artists == () and found.unconfirmed == ("Newly Found",)
    assert not any(NEW in p.artists for p in (*found.training, *found.held_out))
    renamed = replace(RULES, names={NEW: "As the catalogue spells it"})
    (new,) = select_consented(pairs, embedder.catalogue.row_of, renamed).new_artists
    assert new.name == "As the catalogue spells it"


def test_members_who_joined_within_the_last_days_are_not_read(settings):
    with pytest.raises(CommunityError, match="20 consenting members"):
        refresh(settings, min_age_days=1, train=lambda embedder, _: embedder)


def test_the_same_tenth_is_always_held_out(said_yes):
    held = {p.id for p in said_yes.held_out}
    assert held == {f"m{n}" for n in range(CONSENTING) if is_held_out(f"m{n}")}
    assert held.isdisjoint(p.id for p in said_yes.training)
    share = np.mean([is_held_out(f"someone {n}") for n in range(5000)])
    assert share == pytest.approx(0.1, abs=0.02)


# Learning with the base data


def test_new_tables_are_rotated_to_the_basis_of_the_weights(embedder, said_yes):
    listeners = ring(160, artists=16, hits=16)
    more = [*listeners, *said_yes.training]
    space = embedder.content.space
    before = prepare(listeners, ring_content(), ring_tags(listeners), space=space)
    now = prepare(more, ring_content(), ring_tags(listeners), space=space)
    row = {key: at for at, key in enumerate(before.data.keys)}
    here, there = np.array([(at, row[k]) for at, k in enumerate(now.data.keys) if k in row]).T
    old = before.features.whole.inputs[there, :64]
    new = now.features.whole.inputs[here, :64]
    turn = rotation_onto(embedder, now.data.keys, now.features.whole)
    np.testing.assert_allclose(turn @ turn.T, np.eye(64), atol=1e-4)

    def off(factors: np.ndarray) -> float:
        weight = np.minimum(embedder.catalogue.df[there], RIDGE_CAP)[:, None]
        return float(np.linalg.norm(weight * (factors - old)) / np.linalg.norm(weight * old))

    assert off(new @ turn) < 0.75 * off(new)


def test_full_retraining_starts_from_the_current_weights(embedder, said_yes):
    sources = base()
    args = (list(sources.listeners), sources.content, sources.tags, said_yes)
    learned = retrain_full(embedder, *args, steps=25)
    people = ring(150, artists=16, hits=8, seed=9)
    near = (embedder.embed(people) * learned.embed(people)).sum(1)
    assert near.mean() > 0.9
    fresh = fit(
        [*sources.listeners, *said_yes.training],
        sources.content,
        sources.tags,
        config=TrainConfig(steps=25),
    )
    assert (embedder.embed(people) * fresh.embed(people)).sum(1).mean() < near.mean() - 0.05
    assert mrr(learned, people) > mrr(embedder, people) - 0.01
    assert NEW in learned.catalogue.row_of
    assert SELDOM not in learned.catalogue.row_of


# Learning without the base data


def test_a_new_artist_is_placed_near_its_listeners(embedder, said_yes):
    invented = ring(200, artists=16, hits=8, origin="invented", seed=20)
    moved = "artist 20"  # of the first quarter
    assert embedder.catalogue.row(moved) is not None
    renamed = [
        replace(p, artists={("novel" if k == moved else k): a for k, a in p.artists.items()})
        for p in said_yes.training
    ]
    new = select_consented([(p.id, p) for p in renamed], embedder.catalogue.row_of, RULES)
    assert "novel" in [each.key for each in new.new_artists]
    wider = add_artists(embedder, new.new_artists, [*new.training, *invented])
    row = wider.catalogue.row("novel")
    assert row >= len(embedder.catalogue)
    vectors = wider.items.vectors[1:].numpy()
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    to_all = vectors[: len(embedder.catalogue)] @ vectors[row]
    nearest = np.argsort(-to_all)[:10]
    near = [embedder.catalogue.keys[at] for at in nearest]
    on_ring = [int(key.split()[1]) for key in near if key.startswith("artist")]
    assert len(on_ring) >= 7 and np.mean([number < 60 for number in on_ring]) >= 0.8
    np.testing.assert_array_equal(
        wider.items.vectors[: len(embedder.catalogue) + 1], embedder.items.vectors
    )


def test_towers_only_improves_and_leaves_synthetic_listeners_in_place(embedder):
    invented = ring(200, artists=16, hits=8, origin="invented", seed=20)
    joined = ring(250, artists=16, hits=8, origin="file", seed=5)
    said_yes = select_consented([(p.id, p) for p in joined], embedder.catalogue.row_of, RULES)
    learned = retrain_towers(
        embedder, invented, said_yes, known=embedder.catalogue.row_of, steps=120
    )
    assert (embedder.embed(invented) * learned.embed(invented)).sum(1).mean() > 0.99
    people = ring(400, artists=16, hits=8, seed=9)
    assert mrr(learned, people) > mrr(embedder, people)


# The whole of it


def test_a_refresh_serves_the_new_model_with_everyone_in_it(settings):
    old = Matcher.load(settings)
    outcome = refresh(settings, steps=25, data=base(), names=NAMES)
    assert outcome.switched and outcome.base, outcome.reason
    assert outcome.new_artists == 1 and outcome.left_out == 1
    names = [check.name for check in outcome.checks]
    assert "invented listeners, halves" in names and "halves-other, germany" in names
    assert not any(check.regressed for check in outcome.checks)
    assert outcome.embedded == 200 + JOINED
    assert outcome.moved["listeners"] == 200 + JOINED
    assert 0 < outcome.moved["median"] <= outcome.moved["p90"]
    assert set(outcome.seconds) == {
        "reading", "learning", "checks", "embedding", "map", "switching"
    }  # fmt: skip
    new = Matcher.load(settings)
    assert (new.version, new.model_name) == (outcome.model, outcome.model)
    assert old.version == outcome.before and not old.is_current() and new.is_current()
    assert set(new.snapshot().ids) == set(old.snapshot().ids)
    assert np.isfinite(new.snapshot().places).all()
    assert new.catalogue.row(NEW) is not None
    assert by_model(settings) == {outcome.before: 200 + JOINED, outcome.model: 200 + JOINED}
    profile = joining()[0]
    user = new.embedder.embed([profile], "user")[0]
    assert user @ new.snapshot().user[new.snapshot().row_of("m0")] > 0.98
    old.community.close()
    new.community.close()


def test_a_refresh_works_without_base_data(settings):
    outcome = refresh(settings, steps=10, names=NAMES)
    assert outcome.switched and not outcome.base, outcome.reason
    assert Matcher.load(settings).catalogue.row(NEW) is not None


@pytest.mark.parametrize("servers", [1, 3])
def test_on_postgresql_a_server_notices_refresh_and_rollback(planted_assets, tmp_path, servers):
    with postgres(servers) as running:
        url = fresh(running[0])
        if servers > 1:
            create_partitioned(url, [fresh(each) for each in running], community=new_id())
        settings = settle(tmp_path, planted_assets, url)
        served = Matcher.load(settings)
        everyone = set(served.snapshot().ids)
        assert len(everyone) == 200 + JOINED and served.is_current()
        outcome = refresh(settings, steps=5, names=NAMES)
        assert outcome.switched and outcome.new_artists == 1, outcome.reason
        assert outcome.embedded == 200 + JOINED

        assert not served.is_current()
        late = replace(ring(1, origin="file", seed=78)[0], id="late")
        served.community.join(member(served.embedder, late, training=False))  # not switched over
        now = Matcher.load(settings)
        assert (now.version, now.model_name) == (outcome.model, outcome.model)
        snapshot = now.snapshot()
        assert set(snapshot.ids) == {*everyone, "late"} and np.isfinite(snapshot.places).all()
        user = now.embedder.embed([joining()[0]], "user")[0]
        assert user @ snapshot.user[snapshot.row_of("m0")] > 0.98
        assert now.catalogue.row(NEW) is not None

        assert roll_back(settings) == (outcome.model, outcome.before)
        assert not now.is_current() and served.is_current()
        then = Matcher.load(settings)
        assert (then.version, then.model_name) == (outcome.before, None)
        assert set(then.snapshot().ids) == {*everyone, "late"} == set(served.snapshot().ids)
        assert by_model(settings) == {outcome.before: 201 + JOINED, outcome.model: 201 + JOINED}
        for each in (served, now, then):
            each.community.close()


def test_a_bad_model_is_refused_and_the_current_one_stays(settings):
    outcome = refresh(settings, train=lambda embedder, _: shaken(embedder, 3.0))
    assert not outcome.switched
    assert "held-out members, halves regressed" in outcome.reason
    assert "invented listeners, halves regressed" in outcome.reason
    matcher = Matcher.load(settings)
    assert (matcher.version, matcher.model_name) == (outcome.before, None)
    assert set(by_model(settings)) == {outcome.before}
    aside = ModelRegistry.of(settings).folder / REFUSED
    assert [path.name for path in aside.iterdir()] == ["generation.json"], "only the report is kept"


def test_a_refused_model_of_an_earlier_version_is_removed(settings):
    old = ModelRegistry.of(settings).folder / REFUSED / "model" / "trained_on.json"
    old.parent.mkdir(parents=True)
    old.write_text('["hash of somebody who left"]')
    refresh(settings, train=lambda embedder, _: shaken(embedder, 1e-2))
    assert not old.parent.exists()


@pytest.mark.parametrize("strength", [1e-3, 3.0])
def test_a_dry_run_reports_the_outcome_and_stores_nothing(settings, strength):
    first = refresh(settings, train=lambda embedder, _: shaken(embedder, 1e-2))
    folder = ModelRegistry.of(settings).folder

    def state():
        files = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
        community = Community.open(settings.community, model_version=first.model)
        told = queries.stats(community), community.revision(), previous_model(community)
        community.close()
        return files.keys(), {p: t for p, t in files.items() if p.name != ".lock"}, told

    before = state()
    dry = refresh(settings, dry_run=True, train=lambda embedder, _: shaken(embedder, strength))
    assert dry.dry_run and not dry.switched and dry.is_good == (strength < 1)
    assert state() == before and not ModelRegistry.of(settings).work.exists()
    meant = refresh(settings, train=lambda embedder, _: shaken(embedder, strength))
    assert (meant.model, meant.checks, meant.reason) == (dry.model, dry.checks, dry.reason)
    assert meant.switched == dry.is_good


def test_a_dry_run_makes_the_same_model_as_a_refresh(settings):
    dry = refresh(settings, steps=5, data=base(), dry_run=True)
    assert (dry.base, dry.switched, dry.embedded, dict(dry.moved)) == (True, False, 0, {})
    assert set(dry.seconds) == {"reading", "learning", "checks"}
    assert refresh(settings, steps=5, data=base()).model == dry.model


def test_a_failed_refresh_leaves_no_files(settings, monkeypatch):
    def broken(*args, **more):
        raise OSError("No space left on device")

    monkeypatch.setattr(switch, "update_map", broken)
    with pytest.raises(OSError, match="No space"):
        refresh(settings, train=lambda embedder, _: shaken(embedder))
    assert not ModelRegistry.of(settings).work.exists()
    assert ModelRegistry.of(settings).names() == []


def test_a_task_regresses_only_beyond_its_interval():
    assert Check("x", 9, 0.5, 0.4, -0.2, -0.01).regressed
    assert not Check("x", 9, 0.5, 0.4, -0.2, 0.01).regressed
    assert not Check("x", 9, 0.5, 0.4, -0.2, -0.01, allowed=0.1).regressed
    assert Check("x", 9, 0.5, 0.3, -0.3, -0.11, allowed=0.1).regressed


def test_rollback_embeds_members_who_joined_since(settings):
    outcome = refresh(settings, train=lambda embedder, _: shaken(embedder))
    new = Matcher.load(settings)
    late = replace(ring(1, origin="file", seed=77)[0], id="late")
    new.community.join(member(new.embedder, late, training=False))
    assert roll_back(settings) == (outcome.model, outcome.before)
    old = Matcher.load(settings)
    assert (old.version, old.model_name) == (outcome.before, None)
    assert old.snapshot().row_of("late") is not None
    assert np.isfinite(old.snapshot().places[old.snapshot().row_of("late")]).all()
    with pytest.raises(CommunityError, match="no previous model"):
        roll_back(settings)


def test_older_models_are_removed_with_their_vectors(settings):
    versions = [
        refresh(settings, seed=n, train=lambda e, _, n=n: shaken(e, 1e-3 * (n + 1))).model
        for n in range(3)
    ]
    assert len(set(versions)) == 3
    assert set(by_model(settings)) == set(versions[1:])
    assert ModelRegistry.of(settings).names() == sorted(versions[1:])
    assert roll_back(settings) == (versions[2], versions[1])


def test_communities_can_share_a_folder_of_models(planted_assets, tmp_path):
    both = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        settings = settle(tmp_path / name, planted_assets)
        both.append(replace(settings, models=tmp_path / "models"))
    one, other = both
    first = refresh(one, train=lambda e, _: shaken(e, 1e-2)).model
    made = [refresh(other, train=lambda e, _, n=n: shaken(e, 1e-3 * n)).model for n in (1, 2, 3)]
    assert ModelRegistry.of(one).names() == sorted([first, *made[1:]])
    served = Matcher.load(one)
    assert served.model_name == first and len(served.snapshot()) == 200 + JOINED
    assert roll_back(one)[0] == first and roll_back(other) == (made[2], made[1])
    served.community.close()


def test_too_few_consenting_members_is_an_error(planted_assets, tmp_path):
    settings = Settings(tmp_path, planted_assets, f"sqlite:///{tmp_path / 'c.sqlite'}")
    with pytest.raises(CommunityError, match="needs 20"):
        refresh(settings)


def test_only_one_refresh_runs_at_a_time(settings):
    with ModelRegistry.of(settings).lock(), pytest.raises(CommunityError, match="wait for it"):
        refresh(settings)


def test_a_member_who_joins_through_a_server_with_the_old_model_is_found(settings):
    old = Matcher.load(settings)
    refresh(settings, train=lambda embedder, _: shaken(embedder))
    late = replace(ring(1, origin="file", seed=78)[0], id="late")
    old.community.join(member(old.embedder, late, training=False))
    snapshot = Matcher.load(settings).snapshot()
    assert np.isfinite(snapshot.places[snapshot.row_of("late")]).all()
    assert active_model(Community.open(settings.community, model_version="")) is not None


def test_the_registry_is_beside_the_database_or_where_settings_say(tmp_path):
    beside = Settings(tmp_path, tmp_path, "sqlite:////data/c.sqlite?timeout=3")
    assert beside.registry_folder == Path("/data/c.sqlite.models")
    named = Settings.from_env({"TWOTOWER_MODELS": "/models"})
    assert named.registry_folder == Path("/models")
    elsewhere = Settings(tmp_path, tmp_path, "postgresql://host/c")
    assert elsewhere.registry_folder.name == "models"


def test_a_change_during_a_refresh_is_in_the_new_model(settings, monkeypatch):
    changed = replace(ring(1, artists=16, hits=8, origin="file", seed=991)[0], id="m5")
    before = switch.update_map

    def meanwhile(*args, **more):
        now = Matcher.load(settings)
        now.community.update(member(now.embedder, changed, training=True))
        now.community.close()
        return before(*args, **more)

    monkeypatch.setattr(switch, "update_map", meanwhile)
    assert refresh(settings, train=lambda model, _: shaken(model)).switched
    now = Matcher.load(settings)
    snapshot = now.snapshot()
    served = snapshot.user[snapshot.row_of("m5")]
    assert served @ now.embedder.embed([changed], "user")[0] > 0.99


@pytest.mark.parametrize("with_base", [False, True])
def test_an_artist_is_removed_when_its_listeners_have_left(settings, with_base):
    data = base() if with_base else None
    first = refresh(settings, steps=5, data=data, names=NAMES)
    opened = Community.open(settings.community, model_version=first.model)
    having = [f"m{n}" for n in range(SHARED)]
    for id in having[1:]:
        opened.leave(id)
    opened.close()
    second = refresh(settings, steps=5, data=data, names=NAMES)
    folder = ModelRegistry.of(settings).folder
    known = [Embedder.load(folder / each.model / "model").catalogue for each in (first, second)]
    assert known[0].row(NEW) is not None and known[1].row(NEW) is None


def test_rollback_works_if_the_current_models_folder_is_missing(settings):
    made = refresh(settings, train=lambda model, _: shaken(model))
    shutil.rmtree(ModelRegistry.of(settings).folder / made.model)
    with pytest.raises(IncompatibleModel, match="refresh --back"):
        Matcher.load(settings)
    assert roll_back(settings)[0] == made.model
    assert len(Matcher.load(settings).snapshot()) > JOINED - CONSENTING
