"""The lab page: how good the model is, and where it comes from."""

import json

import measured
import pytest
from measured import HOSTILE
from world import profile_of, state_of

from twotower.ui.lab.labels import task_title, variant_title
from twotower.ui.text import escape

CARD = """# Model card

## What it is

<!-- shapes -->
One, see [the licence](LICENSE) and [all](https://example.com).

<!-- quality -->
| a | b |
<!-- /quality -->

```
make assets
```
"""


@pytest.fixture
def app(new_app):
    """Not run yet: the first run of a test draws the page that it is about."""
    return new_app


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """A folder with a report, a card and a model's settings."""
    monkeypatch.setenv("TWOTOWER_ASSETS", str(tmp_path))
    monkeypatch.setenv("TWOTOWER_DATA", str(tmp_path / "none"))
    measured.write(tmp_path)
    (tmp_path / "MODEL_CARD.md").write_text(CARD, encoding="utf-8")
    (tmp_path / "model").mkdir()
    about = {"profiles": {"hetrec": 1500, "x*y*": 20}, "artists": 900, "played artists": 400}
    (tmp_path / "model" / "config.json").write_text(json.dumps({"about": about}))
    return tmp_path


@pytest.fixture
def page(app, assets):
    return app.switch_page("lab.py").run()


def test_the_first_picture_says_which_music_is_known(app, assets):
    report = measured.covered_report()
    (assets / "quality.json").write_text(report.to_json(), encoding="utf-8")
    page = app.switch_page("lab.py").run()
    first = alternatives(page)[0]
    assert "China, 2024: 50% of plays known from listening, 30% by genre only, 20% unknown" in first
    assert "MRR 0.600, EASE 0.700" in first
    assert "Known least: **China, 2024**, 50 %" in words(page)
    assert task_title("halves-today, netease") == "Lists of 2018 to 2026, China"


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def alternatives(app) -> list[str]:
    return [chart.proto.alt for chart in app.get("plotly_chart")]


def test_without_music_it_shows_everything_but_coverage(page):
    assert not page.exception and not page.error
    assert [h.value for h in page.header] == [
        "Against the best baseline",
        "Check it now",
        "Task by task",
        "With only a few artists",
        "Do audio, titles and tags help?",
        "Are friends near?",
        "Is everyone on someone's list?",
        "Where the model comes from",
        "Repeat it yourself",
    ]
    assert [metric.value for metric in page.metric] == ["75 %", "90 %", "60"]
    assert page.metric[0].delta == "best baseline 65 %, EASE"


def test_losses_and_draws_are_named(page):
    assert "significantly better than the best baseline in **2 of 5** tasks" in words(page)
    assert "“Best\\-known artists only”: **Worse** than EASE (−0.1" in words(page)
    assert f"“Listeners in Germany”: No better than {escape(HOSTILE)}" in words(page)
    assert "Finding: the towers are better than every baseline." in words(page)
    assert "Stability: the towers are **no better** than EASE with 3 artists." in words(page)


def test_each_metric_of_friends_has_its_verdict(page):
    best = "(MRR)**: **better** than the best baseline. two towers \\+ LS 0.200, EASE 0.150 (+0.0"
    assert best in words(page)
    assert words(page).count("Of 2 baselines: better than 2.") == 3


def test_a_task_with_another_reference_method_names_it(app, assets):
    report = measured.report().to_dict()
    for part, name in (("rows", "method"), ("means", "method"), ("differences", "reference")):
        for each in report[part]:
            if each["check"] == "friends" and each[name] == measured.TOWERS:
                each[name] = "two towers + same artists"
    (assets / "quality.json").write_text(json.dumps(report))
    app.switch_page("lab.py").run()
    assert not app.exception
    assert "For “Declared friends”, it is two towers \\+ same artists." in words(app)
    assert "The mark is two towers \\+ LS, the mean over the splits." in words(app)
    assert "two towers \\+ same artists 0.200, EASE 0.150" in words(app)


def test_charts_have_a_text_alternative(page):
    head, finding, staying, *_ = alternatives(page)
    assert "Best-known artists only: two towers + LS 0.500, EASE 0.600, worse" in head
    assert "two towers + LS: 0.40 from 3, 0.60 from 10" in finding
    assert staying.startswith("Line chart of overlap@10")


def test_another_task_has_its_own_table_and_text(page):
    assert "The towers here: two towers \\+ LS. Better than all 3 baselines." in words(page)
    assert "The closest: EASE (+0.1" in words(page)
    page.selectbox(key="check").set_value("halves-head").run()
    assert not page.exception
    assert "**Worse** than EASE (−0.1" in words(page) and "The towers here" not in words(page)
    assert "Better than the other 1 baseline." in words(page)
    assert list(page.dataframe[0].value["the towers are"]) == ["worse", "—", "better"]
    assert list(page.dataframe[0].value["method"]) == [
        "EASE", measured.TOWERS, "popularity",
    ]  # fmt: skip


def test_a_task_with_two_metrics_has_a_choice(page):
    page.selectbox(key="check").set_value("cold-3").run()
    assert "MRR" in page.dataframe[0].value.columns
    page.segmented_control(key="metric-cold-3").set_value("overlap@10").run()
    assert not page.exception
    assert "**No better** than EASE (" in words(page)
    assert "overlap@10" in page.dataframe[0].value.columns


def test_a_task_without_intervals_shows_its_means(page):
    page.selectbox(key="check").set_value("geometry").run()
    assert not page.exception
    assert "uniformity" in page.dataframe[0].value.columns


def test_markup_in_the_report_is_shown_letter_for_letter(page):
    page.selectbox(key="check").set_value("halves-other, germany").run()
    assert HOSTILE not in words(page)
    assert f"**No better** than {escape(HOSTILE)}" in words(page)


def test_the_training_data_is_listed(page):
    assert "Trained on 1,520 listeners: 1,500 Last.fm listeners of 2011" in words(page)
    assert escape("x*y*") in words(page)


def test_a_report_about_a_stored_model_mentions_no_repeated_training(app, assets):
    again, splits = "models trained again", "in each of 3 splits"
    app.switch_page("lab.py").run()
    assert again in words(app) and splits in app.metric[2].label
    stored = measured.report().to_dict()
    stored["header"] = {"part": "unseen by the model"}
    stored["rows"] = [row for row in stored["rows"] if row["split"] == 0]
    (assets / "quality.json").write_text(json.dumps(stored))
    app.run()
    assert not app.exception
    assert again not in words(app) and app.metric[2].label == "Strangers"


def test_the_card_is_part_of_the_page(page):
    assert page.expander(key="card").markdown[0].value == (
        "### What it is\n\nOne, see the licence and [all](https://example.com).\n\n"
        "The results are above on this page.\n\n`make assets`"
    )


def test_with_music_it_says_how_much_of_it_is_known(app, assets):
    state_of(app).profile = profile_of("Amara Jazz", "Nobody")
    app.switch_page("lab.py").run()
    assert not app.exception
    assert app.header[-1].value == "How much of your listening it knows"
    assert "Nobody" in app.expander(key="unknown").markdown[0].value


def test_with_unknown_music_the_report_is_still_there(app, assets):
    state_of(app).profile = profile_of("Nobody")
    app.switch_page("lab.py").run()
    assert not app.exception
    assert app.header[0].value == "Against the best baseline"
    assert app.header[-1].value == "We don't know these artists yet"


@pytest.mark.parametrize("text", [None, '{"header": {}'])
def test_without_a_report_it_says_how_to_make_one(app, assets, text):
    path = assets / "quality.json"
    path.unlink() if text is None else path.write_text(text)
    app.switch_page("lab.py").run()
    assert not app.exception
    assert [h.value for h in app.header] == ["Nothing measured yet"]
    assert "`python -m twotower evaluate --out assets/quality.json`" in words(app)


def test_a_new_report_is_shown_without_a_restart(page, assets):
    (assets / "quality.json").unlink()
    assert [h.value for h in page.run().header] == ["Nothing measured yet"]
    measured.write(assets)
    assert page.run().header[0].value == "Against the best baseline"


def test_a_report_without_friends_hubs_and_few_artists_lacks_those_parts(app, assets):
    report = measured.report().to_dict()
    for part in ("rows", "means", "differences"):
        report[part] = [each for each in report[part] if each["check"] == "halves-head"]
    (assets / "quality.json").write_text(json.dumps(report))
    app.switch_page("lab.py").run()
    assert not app.exception
    assert [h.value for h in app.header][:4] == [
        "Against the best baseline",
        "Check it now",
        "Task by task",
        "Where the model comes from",
    ]


def test_without_card_and_model_the_rest_is_there(app, assets):
    (assets / "MODEL_CARD.md").unlink()
    (assets / "model" / "config.json").unlink()
    app.switch_page("lab.py").run()
    assert not app.exception
    assert app.header[-1].value == "Repeat it yourself"


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("halves", "Last.fm strangers"),
        ("halves, full pool", "Among all listeners"),
        ("halves-other, germany, cut to 50", "Listeners in Germany, cut to 50"),
        ("cold-5", "From 5 artists"),
        ("groups, hetrec, + tags", "Side features, hetrec, + tags"),
        ("halves-new", "halves-new"),
    ],
)
def test_tasks_have_plain_titles(check, name):
    assert task_title(check) == name


def test_variants_have_plain_titles():
    assert variant_title("plays as they are") == "absolute play counts"
    assert variant_title("loss: BPR") == "loss: BPR"
