"""Names that stand for no artist: "Various Artists", "[unknown]" and their like."""

import unicodedata
from functools import lru_cache

_NAMES = (
    *("various", "various artist", "various artists", "various performers", "unknown"),
    *("unknown artist", "unknown artists", "unknown performer", "no artist", "not available"),
    *("anonymous", "traditional", "multiple artists", "several artists", "artist unknown"),
    # German, Dutch
    *("Verschiedene", "verschiedene Interpreten", "verschiedene Künstler", "diverse Interpreten"),
    *(
        "diverse Künstler",
        "mehrere Künstler",
        "unbekannt",
        "unbekannter Künstler",
        "unbekannter Interpret",
    ),
    *("diverse artiesten", "verschillende artiesten", "onbekend", "onbekende artiest"),
    # French
    *("artistes divers", "divers artistes", "artistes variés", "interprètes divers", "divers"),
    *("multi-interprètes", "compilation d'artistes", "inconnu", "artiste inconnu"),
    # Spanish, Portuguese, Italian
    *("varios", "varios artistas", "artistas varios", "varios intérpretes", "desconocido"),
    *("artista desconocido", "vários", "vários artistas", "vários intérpretes", "desconhecido"),
    *("artista desconhecido", "artisti vari", "vari artisti", "autori vari", "sconosciuto"),
    "artista sconosciuto",
    # Polish, Czech, Hungarian, Turkish
    *("różni wykonawcy", "wykonawcy różni", "różni artyści", "nieznany", "nieznany wykonawca"),
    *("nieznany artysta", "různí interpreti", "neznámý interpret", "különböző előadók"),
    *("ismeretlen előadó", "çeşitli sanatçılar", "değişik sanatçılar", "bilinmeyen sanatçı"),
    # Danish, Norwegian, Swedish, Finnish
    *("diverse kunstnere", "ukendt kunstner", "diverse artister", "ukjent artist"),
    *("blandade artister", "okänd artist", "eri esittäjiä", "tuntematon artisti"),
    # Russian, Ukrainian
    *("разные исполнители", "различные исполнители", "разные артисты", "неизвестен"),
    *("неизвестный исполнитель", "неизвестный артист", "різні виконавці", "невідомий виконавець"),
    # Japanese, Korean, Chinese, Vietnamese
    *("ヴァリアス・アーティスト", "オムニバス", "不明なアーティスト", "アーティスト不明"),
    *("여러 아티스트", "다양한 아티스트", "알 수 없는 아티스트", "알 수 없음"),
    *("群星", "华语群星", "華語群星", "欧美群星", "佚名", "未知", "未知艺人", "未知藝人"),
    *("未知艺术家", "未知藝術家", "未知演出者", "多位艺人", "多位藝人", "各類藝人"),
    *("nhiều nghệ sĩ", "nghệ sĩ không xác định"),
)
# Names that are placeholders only in brackets; the words alone may be an artist.
_IN_BRACKETS = (
    *("dialogue", "dialog", "data", "nature sounds", "christmas music", "disney", "soundtrack"),
    *("church chimes", "language instruction", "theatre", "untagged", "none", "null", "no tag"),
    *("unknown composer", "na", "va", "no artist name", "silence"),
)
_AS_WRITTEN = frozenset(
    ("v.a.", "v.a", "v/a", "v / a", "v. a.", "aa.vv.", "aa. vv.", "n/a", "n.a.")
)


def _letters(name: str) -> str:
    """Return the letters and digits of a name, without case and accents."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    return "".join(filter(str.isalnum, folded))


_PLAIN = frozenset(map(_letters, _NAMES))
_PLAIN_IN_BRACKETS = frozenset(map(_letters, _IN_BRACKETS))


@lru_cache(maxsize=200_000)
def is_placeholder(name: str) -> bool:
    """Return True for a name that stands for no artist, in any of the services' languages."""
    letters = _letters(name)
    if letters in _PLAIN:
        return True
    stripped = name.strip()
    if letters in _PLAIN_IN_BRACKETS and stripped[:1] + stripped[-1:] in ("[]", "<>", "()"):
        return True
    return stripped.casefold() in _AS_WRITTEN
