"""Both colour themes have enough contrast, by the formula of WCAG 2."""

import tomllib

import pytest

from twotower.core.settings import ROOT

THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
BACKGROUNDS = ("backgroundColor", "secondaryBackgroundColor")
TEXTS = ("textColor", "grayTextColor", "linkColor")


def luminance(colour: str) -> float:
    """Return the relative luminance of "#RRGGBB": 0 is black, 1 is white."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio: 1 for the same colour, 21 for black on white."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_by_hand():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)
    assert contrast("#0F766E", "#0F766E") == 1


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_background(theme, text, background):
    colours = THEME[theme]
    assert contrast(colours[text], colours[background]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_controls_and_marks_of_charts_stand_out_from_the_page(theme):
    colours = THEME[theme]
    for colour in (colours["primaryColor"], *colours["chartCategoricalColors"]):
        for background in BACKGROUNDS:
            assert contrast(colour, colours[background]) >= 3, colour
