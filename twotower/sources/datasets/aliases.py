"""Other spellings of artists' names, mostly of another script: 五月天 is Mayday."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from twotower.core.names import ALIASES, is_artist_name, normal_key, split_scripts
from twotower.sources.datasets.tables import csv_columns, folder_of

DERIVED, JAPANESE = "aliases", "aliases-ja"
TWO_SCRIPTS = "two-script-name"
_BRACKETS = re.compile(r"[()（）\[\]【】「」]")

# Normal keys of aliases that would join different artists, read by hand: the Latin name is better
# known as another artist's ("The Wanted"), the table of `JAPANESE` names another one ("The Velvets"
# stands beside The Velvelettes), or the alias is an ordinary word ("choir").
_WRONG = """
陈咏桐, 吕建忠, 李圣杰, 乃紫, 寻人启事, 黑星, 逍遥骑士, 溺水的鱼, 大新鲜乐团, 轻晨电乐团,
香蕉俱乐部, マクロス, ちゃん, 商学院, 音乐团体, 合唱团, 人声乐团, 乐团, 新疆, 向井太一, 响界メトロ,
山田孝之, 筿原凉子, ザ ヴェルヴェッツ, ザ クラス, ザ スカーズ, ザ スパイダース, ザ セイラーズ,
ザ タイガース, ザ ドリフターズ, ザ リッパーズ, ザ レイジ, ザ ワイルドワンズ, ガルグール,
キャンディーズ, シェイクダウン, スカート, スターセッド, セシル マクレー, チューリップ,
バーサーカー, オパス, ピンクレディー, ランブリング ローズ
"""
WRONG_ALIASES = frozenset(" ".join(_WRONG.split()).split(", "))


class Alias(NamedTuple):
    """Two spellings of one artist; their normal keys differ."""

    name: str  # in Latin letters if one of the two is
    alias: str
    kind: str  # how the pair is known


def read_aliases(name: str, folder: Path) -> Iterator[Alias]:
    """Yield the pairs of `DERIVED` or `JAPANESE`, each once; `folder` as for `read_charts`.

    Kinds of `DERIVED`: "shared-songs" and "shared-songs-billboard-jp" (the two spellings have the
    same song titles) and "two-script-name" (a name such as "Anson Lo 盧瀚霆": the Latin half is the
    name; the whole and the other half are its aliases). The kind of `JAPANESE` is "japanese".
    """
    folder = folder_of(name, folder)
    pairs = _derived_pairs(folder) if name == DERIVED else _japanese_pairs(folder)
    for pair in dict.fromkeys(pairs):
        are_real = is_artist_name(pair.name) and is_artist_name(pair.alias)
        if are_real and normal_key(pair.name) != normal_key(pair.alias):
            yield pair


def _derived_pairs(folder: Path) -> Iterator[Alias]:
    for kind, name, also in csv_columns(DERIVED, folder, "aliases.csv", ("kind", "name", "also")):
        if kind == TWO_SCRIPTS:
            latin, other = _halves(name, also)
            yield Alias(latin, name, kind)
            if other:
                yield Alias(latin, other, kind)
        else:
            yield Alias(name, also, kind)


def _halves(whole: str, half: str) -> tuple[str, str]:
    """Return a two-script name's half in Latin letters, and the other; `half` is one of them."""
    rest = _BRACKETS.sub(" ", whole.replace(half, " ", 1))
    rest = " ".join(rest.split()).strip(" -/·,")
    return (half, rest) if _is_latin(half) or not _is_latin(rest) else (rest, half)


def _is_latin(text: str) -> bool:
    """Return True if the text has letters, all of them Latin."""
    letters = [char for char in text if char.isalpha()]
    return bool(letters) and all(unicodedata.name(char, "").startswith("LATIN") for char in letters)


def _japanese_pairs(folder: Path) -> Iterator[Alias]:
    columns = ("artist_en", "artist_ja")
    for english, japanese in csv_columns(JAPANESE, folder, "artists.csv", columns):
        yield Alias(english.strip(), japanese.strip(), "japanese")


def alias_table(data: Path) -> dict[str, str]:
    """Return alias -> usual key, both normal keys, of the sets `DERIVED` and `JAPANESE` in `data`.

    The usual key is the one in Latin letters. Of an alias in two scripts that has the usual key
    as its Latin half ("BTS (防弾少年団)"), the other half is the alias: `artist_key` finds the
    whole by its halves. An alias with two usual keys joins them under the first, that of `DERIVED`.
    """
    table: dict[str, str] = {}
    pairs = [pair for name in (DERIVED, JAPANESE) for pair in read_aliases(name, data)]
    for pair in sorted(pairs, key=lambda pair: pair.kind != TWO_SCRIPTS):
        usual, alias = sorted(map(normal_key, pair[:2]), key=lambda key: not key.isascii())
        usual = _usual_key(usual, table)
        alias = _native_half(alias, usual)
        known = _usual_key(alias, table)
        if alias in WRONG_ALIASES or usual == known:
            continue
        if known == alias:
            table[alias] = usual
        else:
            table[usual] = known
    return {alias: _usual_key(alias, table) for alias in sorted(table)}


def _usual_key(key: str, table: Mapping[str, str]) -> str:
    """Return what the aliases known so far make of a normal key."""
    latin, native = split_scripts(key)
    if native and table.get(native) == latin:
        return latin
    while key in table:
        key = table[key]
    return ALIASES.get(key, key)


def _native_half(alias: str, usual: str) -> str:
    """Return the half of a two-script alias that isn't the usual key; else the alias itself."""
    latin, native = split_scripts(alias)
    return native if native and latin == usual else alias
