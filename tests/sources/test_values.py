"""Names from foreign data: what services add to them is taken off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.sources.values import artist_name, song_title


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Simon &amp; Garfunkel", "Simon & Garfunkel"),
        ("AT&amp;amp;T", "AT&T"),
        ("Guns N&#39; Roses", "Guns N' Roses"),
        ("Mot&ouml;rhead", "Motörhead"),
        ("R&copy", "R&copy"),  # no entity without its semicolon
        ("Rock & Roll; Soul", "Rock & Roll; Soul"),
        ("<b>Low</b>", "<b>Low</b>"),
        ("BeyoncÃ©", "Beyoncé"),
        ("BeyoncÃƒÂ©", "Beyoncé"),
        ("Sigur RÃ³s", "Sigur Rós"),
        ("Ã\x81sgeir", "Ásgeir"),
        ("ÐšÐ¸Ð½Ð¾", "Кино"),
        ("Björk", "Björk"),
        ("Chitãozinho", "Chitãozinho"),
        ("宇多田ヒカル", "宇多田ヒカル"),
    ],
)
def test_entities_and_double_encoding_are_decoded_in_every_text(written: str, meant: str):
    assert song_title(written) == meant


@pytest.mark.parametrize(
    ("written", "artist"),
    [
        ("Beyoncé - Topic", "Beyoncé"),
        ("Low – Thema", "Low"),
        ("Кино - Тема", "Кино"),
        ("Topic", "Topic"),
        ("Off Topic", "Off Topic"),
        ("RihannaVEVO", "Rihanna"),
        ("AvrilLavigneVEVO", "Avril Lavigne"),
        ("50CentVEVO", "50 Cent"),
        ("Maroon5VEVO", "Maroon 5"),
        ("LMFAOVEVO", "LMFAO"),
        ("Arctic Monkeys VEVO", "Arctic Monkeys"),
        ("VEVO", "VEVO"),
        ("Beatles, The", "The Beatles"),
        ("Ärzte, Die", "Die Ärzte"),
        ("Tyler, The Creator", "Tyler, The Creator"),
        (1975, "1975"),
        (None, ""),
    ],
)
def test_channels_and_sort_names_are_the_artist(written: object, artist: str):
    assert artist_name(written) == artist


@given(st.text(max_size=30))
def test_any_text_becomes_one_line(text: str):
    for name in (song_title(text), artist_name(text)):
        assert len(name.splitlines()) <= 1
