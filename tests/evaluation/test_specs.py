"""Labels of tasks and methods are read and written the same."""

import json
from pathlib import Path

import pytest

from twotower.evaluation.specs import MethodSpec, TaskKind, TaskSpec, parse_method, parse_task

REPORTS = ("quality.json", "ablation.json", "learning.json")
ASSETS = Path(__file__).resolve().parents[2] / "assets"

TASKS = {
    "halves": TaskSpec(TaskKind.HALVES),
    "halves, full pool": TaskSpec(TaskKind.HALVES, condition="full pool"),
    "halves-head": TaskSpec(TaskKind.HEAD),
    "halves-other, germany, cut to 50": TaskSpec(TaskKind.OTHER_DATA, "germany", cut=50),
    "cold-5": TaskSpec(TaskKind.COLD, cut=5),
    "sides, no plays in the query": TaskSpec(
        TaskKind.ONE_SIDED_PLAYS, condition="no plays in the query"
    ),
    "groups, hetrec, artists only": TaskSpec(TaskKind.FEATURES, "hetrec", frozenset({"artists"})),
    "groups, hetrec, tags alone": TaskSpec(TaskKind.FEATURES, "hetrec", frozenset({"tags"})),
    "halves-today": TaskSpec(TaskKind.TODAY),
    "halves-today, netease": TaskSpec(TaskKind.TODAY, "netease"),
    "groups, tidytuesday, + audio + playlists": TaskSpec(
        TaskKind.FEATURES, "tidytuesday", frozenset({"artists", "audio", "playlists"})
    ),
    "coverage, netease": TaskSpec(TaskKind.COVERAGE, "netease"),
    "coverage, lists, confidence": TaskSpec(TaskKind.COVERAGE, "lists", condition="confidence"),
    "unseen, no content": TaskSpec(TaskKind.UNSEEN, condition="no content"),
}
METHODS = {
    "popularity": MethodSpec("popularity"),
    "two towers, one way": MethodSpec("two towers", one_way=True),
    "two towers + same artists": MethodSpec("two towers", overlap=True),
    "two towers + companions + LS": MethodSpec(
        "two towers", item_item="companions", correction="LS"
    ),
    "idf cosine + MP": MethodSpec("idf cosine", correction="MP"),
    "ALS + content + EASE + playlists + LS": MethodSpec(
        "ALS + content", item_item="EASE", playlists=True, correction="LS"
    ),
    "EASE + LS": MethodSpec("EASE", correction="LS"),
    "two towers, 25 % of the listeners": MethodSpec("two towers", share=25),
    "loss: sigmoid (SigLIP)": MethodSpec("loss: sigmoid (SigLIP)"),
}


@pytest.mark.parametrize(("label", "spec"), TASKS.items())
def test_a_task_is_read_from_its_label_and_written_as_the_same(label: str, spec: TaskSpec):
    assert parse_task(label) == spec
    assert spec.label == label


@pytest.mark.parametrize(("label", "spec"), METHODS.items())
def test_a_method_is_read_from_its_label_and_written_as_the_same(label: str, spec: MethodSpec):
    assert parse_method(label) == spec
    assert spec.label == label


@pytest.mark.parametrize("name", REPORTS)
def test_every_label_of_the_shipped_reports_is_known_and_written_back_the_same(name: str):
    means = json.loads((ASSETS / name).read_text(encoding="utf-8"))["means"]
    for label in {mean["check"] for mean in means}:
        assert parse_task(label).kind is not TaskKind.UNKNOWN
        assert parse_task(label).label == label
    for label in {mean["method"] for mean in means}:
        assert parse_method(label).label == label


@pytest.mark.parametrize(
    "label", ["", "new", "cold", "cold-x", "cold-05", "halves, of late", "groups", "groups, x, + y"]
)
def test_an_unknown_label_of_a_task_is_kept_as_it_is(label: str):
    spec = parse_task(label)
    assert spec.label == label
    assert spec.kind in (TaskKind.UNKNOWN, TaskKind.FEATURES)


def test_features_beside_artists_are_additions():
    tags = parse_task("groups, hetrec, + tags")
    assert tags.adds_features
    assert tags.artists_only.label == "groups, hetrec, artists only"
    assert not tags.artists_only.adds_features
    assert not parse_task("groups, hetrec, tags alone").adds_features
