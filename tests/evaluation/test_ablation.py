"""Ablation and learning curve on a planted world."""

import pytest
from planted import make_sources

from twotower.evaluation.ablation import DEFAULT, VARIANTS, Variant, ablate, learning_curve
from twotower.model.towers import ModelConfig
from twotower.model.train_config import TrainConfig


@pytest.fixture(scope="module")
def sources():
    return make_sources()


def test_each_variant_is_compared_with_the_default_by_the_same_tasks(sources):
    chosen = {
        DEFAULT: Variant(),
        "one tower": Variant(model={"shared": True}),
        "without content": Variant(content=False),
    }
    report = ablate(sources, variants=chosen, kinds=("halves", "sides", "friends"), steps=3)
    assert (
        report.header["part"] == "validation"
        and report.header["training"] == TrainConfig(steps=3).to_dict()
    )
    asked = {}
    for row in report.rows:
        asked.setdefault(row.check, set()).add(row.method)
    assert asked.pop("friends") == asked.pop("halves") == chosen.keys()
    assert {"sides, no plays in the query", "sides, no plays in the candidate"} < asked.keys()
    assert {d.reference for d in report.differences} == {DEFAULT}


def test_every_variant_changes_a_field_of_a_config():
    for name, variant in VARIANTS.items():
        training, model = TrainConfig(**variant.training), ModelConfig(**variant.model)
        changed = (training, model, variant.content) != (TrainConfig(), ModelConfig(), True)
        assert changed == (name != DEFAULT)


def test_a_smaller_share_of_listeners_is_part_of_a_larger_one(sources):
    told = []
    report = learning_curve(
        sources, shares=(50, 100), steps=3, progress=lambda share, text: told.append(text)
    )
    assert told[:2] == ["50 % of the listeners", "100 % of the listeners"]
    methods = {row.method for row in report.rows}
    assert methods == {
        f"{name}, {share} % of the listeners"
        for name in ("two towers", "ALS-64")
        for share in (50, 100)
    }
    assert {d.reference for d in report.differences} == {"two towers, 100 % of the listeners"}
    assert report.mean("halves", "ALS-64, 100 % of the listeners") > 0.05
