"""Names that stand for no artist, in the languages of the services."""

import pytest

from twotower.core.names import artist_key, is_artist_name
from twotower.core.placeholders import is_placeholder


@pytest.mark.parametrize(
    "name",
    [
        *("Various Artists", "VARIOUS  ARTISTS ", "Various", "V.A.", "V/A", "[unknown]", "Unknown"),
        *("<unknown>", "Unknown Artist", "[no artist]", "[dialogue]", "(data)", "<Untagged>"),
        *("Verschiedene Interpreten", "Unbekannter Künstler", "Artistes divers", "Artiste inconnu"),
        *("Varios Artistas", "Vários artistas", "Artista desconocido", "Artista desconhecido"),
        *("Artisti Vari", "AA.VV.", "Diverse artiesten", "Onbekende artiest", "Różni wykonawcy"),
        *("Çeşitli Sanatçılar", "Разные исполнители", "Неизвестный исполнитель"),
        *("ヴァリアス・アーティスト", "여러 아티스트", "群星", "未知艺术家"),
    ],
)
def test_a_placeholder_is_no_artist(name: str):
    assert is_placeholder(name)
    assert not is_artist_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("Low", "Various Production", "Unknown Mortal Orchestra", "Dialogue", "Data", "Disney"),
        *("VA", "[re:jazz]", "<3", "The The", "!!!", "None", "Soundtrack of Our Lives"),
    ],
)
def test_names_like_placeholders_are_artists(name: str):
    assert not is_placeholder(name)
    assert is_artist_name(name)


def test_the_initials_of_nwa_may_be_written_together():
    assert artist_key("NWA") == artist_key("N.W.A") == artist_key("N.W.A.")
