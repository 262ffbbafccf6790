"""Spellings that name the same artist in another script, and accents that tell artists apart."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

# Made by benchmarks/spellings.py, which names the sources: "han" has traditional characters and
# the simplified ones at the same places (OpenCC; LICENSE-OpenCC.txt), "aliases" leads from a key to
# the usual one.
FILE = Path(__file__).with_name("spellings.json")
_DOCUMENT = json.loads(FILE.read_text(encoding="utf-8"))

# Letters written as others before keys are compared. Vietnamese đ and Turkish ı have no accent
# that could be stripped, but people type them as d and i.
SAME_LETTER: Mapping[int, str] = MappingProxyType(
    dict(zip(map(ord, _DOCUMENT["han"][0] + "đı"), _DOCUMENT["han"][1] + "di", strict=True))
)

FOREIGN_ALIASES: Mapping[str, str] = MappingProxyType(_DOCUMENT["aliases"])

# Names that keep their accents or their "the", because another known artist has the name without
# them: Cam sings country music, Cầm Vietnamese hip hop; The Vamps are British, Vamps Japanese. Read
# by hand from the names of one word in the data sets (`benchmarks/names.py --homographs`). The
# better known of two artists has the plain key, so names that people often write without accents
# or "the" (Zoé, Aminé, The Used) aren't here.
_KEPT_ACCENTS = """
adé, alía, amïn, aréna, audión, áuryn, ängie, bené, bée, bélo, biên, bôa, bö, bråvo, caê,
cámille, cầm, chloé, cortés, dantès, đen, denȳ, déluge, don hồ, duñe, dúné, egó, elefánt,
evän, faraò, fariña, favé, flëur, fröst, gamaliél, gåte, génesis, grēta, hallé, hào, häwk,
hoāng, húgó, hương lý, inéz, ía, jaël, jafú, juné, kaïn, kaká, katō, kåren, kéo, khải, koļa,
kúra, laïs, lelé, leña, león, lolô, lulú, lùisa, lúc, lü, lücy, lửa, maía, malìa, malía, malú,
mariño, maría isabel, marïna, marwán, märvel, måla, míra, mörda, mýa, nanà, nané, nági, nân,
nâu, ngọc anh, nguyễn hưng, nikoś, nína, nonô, ntò, olívia, ö, ölga, papillón, pär, pelé,
perséphone, péter nagy, quiñ, raphaël, rán, råsa, reën, renée, rémy, rêve, rosé, röge, rüfüs,
sané, sátyr, sâlo, säje, shé, soulé, sôber, sôra, şam, tayá, táo, tālā, tāne, téo, tïger,
totò, tọi, tùa, vavá, vàli, vödka, ÿuma, zoë, zöe
"""
_KEPT_ARTICLES = """
aether, angel, beast, blanks, blaze, blinders, blossom, blow, boy, boyz, brooks, change,
chords, company, dawn, dean, diamonds, dream, edge, enemy, evens, felix, five, fuzz, girl next
door, herd, him, invisible, ivy, jam, jungle, junior varsity, kidd, kings, law, maes,
midnight, mist, moments, moon, movement, nomad, ocean, other, palms, phantoms, power station,
rain, riverside, rock, rose, soil, spooks, swiss, vamps, wet, wild, wind
"""


def _words(text: str) -> list[str]:
    return " ".join(text.split()).split(", ")


KEEP_AS_WRITTEN = frozenset(
    (*_words(_KEPT_ACCENTS), *(f"the {word}" for word in _words(_KEPT_ARTICLES)))
)
