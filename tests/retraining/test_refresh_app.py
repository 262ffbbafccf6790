"""Refresh on the command line, and for a visitor with an open page."""

import json

import numpy as np
import pytest
from learning import quick_map, shaken
from planted import ring
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner
from world import INDEX, state_of

from twotower.bundle import shipped
from twotower.cli.main import app
from twotower.retraining import refresh
from twotower.retrieval import projection
from twotower.ui import model_cache

REFRESH = ["refresh", "--min-age", "0"]  # everyone has just joined


@pytest.fixture
def environment(settings, monkeypatch):
    """Set the environment variables of an operator."""
    monkeypatch.setenv("TWOTOWER_ASSETS", str(settings.assets))
    monkeypatch.setenv("TWOTOWER_COMMUNITY", settings.community)
    monkeypatch.setenv("TWOTOWER_DATA", str(settings.data))
    monkeypatch.delenv("TWOTOWER_MODELS", raising=False)
    monkeypatch.setattr(projection, "fit_map", quick_map)
    monkeypatch.setattr(shipped, "PAIRS", 2000)
    return settings


def planted(monkeypatch, strength: float) -> None:
    """Replace training by noise of this strength."""
    monkeypatch.setattr(
        refresh, "retrain_towers", lambda embedder, *_, **__: shaken(embedder, strength)
    )


def test_the_command_refreshes_and_goes_back(environment, monkeypatch):
    planted(monkeypatch, 1e-3)
    made = CliRunner().invoke(app, [*REFRESH, "--json"])
    assert made.exit_code == 0, made.stderr
    outcome = json.loads(made.stdout)
    assert outcome["switched"] and not outcome["base"] and outcome["moved"]["median"] >= 0
    back = CliRunner().invoke(app, ["refresh", "--back", "--json"])
    assert json.loads(back.stdout) == {"before": outcome["model"], "model": outcome["before"]}
    again = CliRunner().invoke(app, ["refresh", "--back"])
    assert again.exit_code == 2 and "no previous model" in again.stderr
    both = CliRunner().invoke(app, ["refresh", "--back", "--steps", "3"])
    assert both.exit_code == 2 and "--json alone" in both.stderr


def test_the_command_has_a_dry_run(environment, monkeypatch):
    planted(monkeypatch, 1e-3)
    tried = CliRunner().invoke(app, [*REFRESH, "--dry-run"])
    assert tried.exit_code == 0, tried.stderr
    assert "dry run: no task regressed; model" in tried.stdout
    assert "invented listeners, halves: MRR" in tried.stdout
    told = json.loads(CliRunner().invoke(app, [*REFRESH, "--dry-run", "--json"]).stdout)
    assert (told["dry_run"], told["switched"], told["moved"]) == (True, False, {})
    none = CliRunner().invoke(app, ["refresh", "--back"])
    assert none.exit_code == 2 and "no previous model" in none.stderr
    both = CliRunner().invoke(app, ["refresh", "--back", "--dry-run"])
    assert both.exit_code == 2 and "--json alone" in both.stderr
    assert told["unconfirmed"] == ["Newly Found"] and "wait for your confirmation" in tried.stdout
    file = environment.data.parent / "names.txt"
    file.write_text("\nNewly Found\n")
    confirmed = CliRunner().invoke(app, [*REFRESH, "--dry-run", "--json", "--names", str(file)])
    assert json.loads(confirmed.stdout)["unconfirmed"] == []
    planted(monkeypatch, 3.0)
    bad = CliRunner().invoke(app, [*REFRESH, "--dry-run"])
    assert bad.exit_code == 1 and "the previous model stays active" in bad.stderr
    assert not (environment.registry_folder / "refused").exists()


def test_the_command_says_why_a_model_was_refused(environment, monkeypatch):
    planted(monkeypatch, 3.0)
    made = CliRunner().invoke(app, REFRESH)
    assert made.exit_code == 1
    assert "the previous model stays active" in made.stderr and "regressed" in made.stderr
    assert "invented listeners, halves: MRR" in made.stdout
    told = CliRunner().invoke(app, [*REFRESH, "--json"])
    assert told.exit_code == 1 and json.loads(told.stdout)["switched"] is False


def test_an_open_page_continues_with_the_new_model(environment):
    model_cache._load.cache_clear()
    model_cache.load_matcher.clear()
    try:
        page = AppTest.from_file(str(INDEX), default_timeout=60).run()
        state_of(page).profile = ring(1, artists=16, origin="file", seed=41)[0]
        page.switch_page("neighbours.py").run()
        assert not page.exception
        before, old = state_of(page).portrait, model_cache.load_matcher()
        outcome = refresh.refresh(environment, train=lambda embedder, _: shaken(embedder, 1e-2))
        assert outcome.switched, outcome.reason
        page.run()
        assert not page.exception
        after, now = state_of(page).portrait, model_cache.load_matcher()
        assert (old.version, now.version) == (outcome.before, outcome.model)
        assert after.profile is before.profile and after is not before
        np.testing.assert_allclose(
            after.user_vector, now.embedder.embed([before.profile], "user")[0], atol=1e-6
        )
        assert not np.allclose(after.user_vector, before.user_vector, atol=1e-4)
        assert state_of(page).neighbours.portrait is after
    finally:
        model_cache._load.cache_clear()
        model_cache.load_matcher.clear()
