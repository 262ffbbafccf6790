"""The lab page: how good the model is, and what it comes from."""

import json

import measured
import pytest
from measured import HOSTILE
from world import profile_of, state_of

from twotower.ui.lab import words as lab_words
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


def words(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def told(app) -> list[str]:
    return [chart.proto.alt for chart in app.get("plotly_chart")]


def test_without_music_it_shows_everything_but_coverage(page):
    assert not page.exception and not page.error
    assert [h.value for h in page.header] == [
        "Beside the best of the others",
        "Check it now",
        "Check by check",
        "With only a few artists",
        "Does it help to know more than artists?",
        "Are friends near?",
        "Is everyone found by someone?",
        "What the model comes from",
        "Ask it again yourself",
    ]
    assert [metric.value for metric in page.metric] == ["75 %", "90 %", "60"]
    assert page.metric[0].delta == "best baseline 65 %, EASE"


def test_where_the_towers_lose_or_draw_it_says_so_by_name(page):
    assert "ahead of the best baseline in **2 of 5** checks" in words(page)
    assert "**Behind** EASE for “Best known artists only” (−0.1" in words(page)
    assert f"No better than {escape(HOSTILE)} for “Listeners in Germany”" in words(page)
    assert "At finding, the towers are ahead of every baseline at each size." in words(page)
    assert "In staying, the towers are **no better** than EASE with 3 artists." in words(page)


def test_each_measure_of_friends_has_its_verdict(page):
    assert "(MRR)**: two towers \\+ LS 0.200, best baseline 0.150, EASE: **ahead** (+0.0" in words(
        page
    )
    assert words(page).count("Of 2 baselines: ahead of 2.") == 3


def test_a_check_of_another_order_of_the_towers_names_it(app, assets):
    report = measured.report().to_dict()
    for part, name in (("rows", "method"), ("means", "method"), ("differences", "reference")):
        for each in report[part]:
            if each["check"] == "friends" and each[name] == measured.TOWERS:
                each[name] = "two towers + same artists"
    (assets / "quality.json").write_text(json.dumps(report))
    app.switch_page("lab.py").run()
    assert not app.exception
    assert "For “Declared friends”, the mark is of two towers \\+ same artists." in words(app)
    assert "The mark is the mean over the splits of two towers \\+ LS, with" in words(app)
    assert "(MRR)**: two towers \\+ same artists 0.200, best baseline 0.150" in words(app)


def test_its_charts_can_be_heard(page):
    head, finding, staying, *_ = told(page)
    assert "Best known artists only: two towers + LS 0.500, EASE 0.600, behind" in head
    assert "two towers + LS: 0.40 from 3, 0.60 from 10" in finding
    assert staying.startswith("Line chart of overlap@10")


def test_another_check_has_another_table_and_other_words(page):
    assert "For the towers stands two towers \\+ LS. Ahead of all 3 baselines here;" in words(page)
    assert "the closest: EASE (+0.1" in words(page)
    page.selectbox(key="check").set_value("halves-head").run()
    assert not page.exception
    assert "**Behind** EASE (−0.1" in words(page) and "For the towers stands" not in words(page)
    assert "Ahead of the other 1 baseline." in words(page)
    assert list(page.dataframe[0].value["method"]) == [
        "EASE", measured.TOWERS, "popularity",
    ]  # fmt: skip


def test_a_check_with_two_measures_has_a_choice(page):
    page.selectbox(key="check").set_value("cold-3").run()
    assert "MRR" in page.dataframe[0].value.columns
    page.segmented_control(key="metric-cold-3").set_value("overlap@10").run()
    assert not page.exception
    assert "**No better** than EASE (" in words(page)
    assert "overlap@10" in page.dataframe[0].value.columns


def test_a_check_without_intervals_shows_its_figures(page):
    page.selectbox(key="check").set_value("geometry").run()
    assert not page.exception
    assert "uniformity" in page.dataframe[0].value.columns


def test_markup_in_the_report_is_shown_letter_for_letter(page):
    page.selectbox(key="check").set_value("halves-other, germany").run()
    assert HOSTILE not in words(page)
    assert f"**No better** than {escape(HOSTILE)}" in words(page)


def test_it_says_what_the_model_was_trained_on(page):
    assert "Trained on 1,520 listeners: 1,500 Last.fm listeners of 2011" in words(page)
    assert escape("x*y*") in words(page)


def test_of_a_stored_model_it_does_not_say_that_models_were_trained_anew(app, assets):
    anew, splits = "models trained anew", "in each of 3 splits"
    app.switch_page("lab.py").run()
    assert anew in words(app) and splits in app.metric[2].label
    told = measured.report().to_dict()
    told["header"] = {"part": "unseen by the model"}
    told["rows"] = [row for row in told["rows"] if row["split"] == 0]
    (assets / "quality.json").write_text(json.dumps(told))
    app.run()
    assert not app.exception
    assert anew not in words(app) and app.metric[2].label == "Strangers to choose from"


def test_the_card_is_part_of_the_page(page):
    assert page.expander(key="card").markdown[0].value == (
        "### What it is\n\nOne, see the licence and [all](https://example.com).\n\n"
        "The figures stand on this page, above.\n\n`make assets`"
    )


def test_with_music_it_says_how_much_of_it_is_known(app, assets):
    state_of(app).profile = profile_of("Amara Jazz", "Nobody")
    app.switch_page("lab.py").run()
    assert not app.exception
    assert app.header[-1].value == "How much of your listening it knows"
    assert "Nobody" in app.expander(key="unknown").markdown[0].value


def test_with_music_that_nobody_knows_the_report_is_still_there(app, assets):
    state_of(app).profile = profile_of("Nobody")
    app.switch_page("lab.py").run()
    assert not app.exception
    assert app.header[0].value == "Beside the best of the others"
    assert app.header[-1].value == "We don't know these artists yet"


@pytest.mark.parametrize("text", [None, '{"header": {}'])
def test_without_a_report_it_says_how_to_make_one(app, assets, text):
    path = assets / "quality.json"
    path.unlink() if text is None else path.write_text(text)
    app.switch_page("lab.py").run()
    assert not app.exception
    assert [h.value for h in app.header] == ["Nothing measured here yet"]
    assert "`python -m twotower evaluate --out assets/quality.json`" in words(app)


def test_a_new_report_is_shown_without_a_restart(page, assets):
    (assets / "quality.json").unlink()
    assert [h.value for h in page.run().header] == ["Nothing measured here yet"]
    measured.write(assets)
    assert page.run().header[0].value == "Beside the best of the others"


def test_a_report_without_friends_hubs_and_few_artists_lacks_those_parts(app, assets):
    report = measured.report().to_dict()
    for part in ("rows", "means", "differences"):
        report[part] = [each for each in report[part] if each["check"] == "halves-head"]
    (assets / "quality.json").write_text(json.dumps(report))
    app.switch_page("lab.py").run()
    assert not app.exception
    assert [h.value for h in app.header][:4] == [
        "Beside the best of the others",
        "Check it now",
        "Check by check",
        "What the model comes from",
    ]


def test_without_card_and_model_the_rest_is_there(app, assets):
    (assets / "MODEL_CARD.md").unlink()
    (assets / "model" / "config.json").unlink()
    app.switch_page("lab.py").run()
    assert not app.exception
    assert app.header[-1].value == "Ask it again yourself"


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("halves", "Last.fm strangers"),
        ("halves, full pool", "The same among everyone"),
        ("halves-other, germany, cut to 50", "Listeners in Germany, cut to 50"),
        ("cold-5", "From 5 artists"),
        ("groups, hetrec, + tags", "What else is told, hetrec, + tags"),
        ("halves-new", "halves-new"),
    ],
)
def test_checks_have_plain_names(check, name):
    assert lab_words.title(check) == name
