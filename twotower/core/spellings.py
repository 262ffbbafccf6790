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

# Names that keep their accents, because another known artist has the name without them: Cam sings
# country music, Cầm Vietnamese hip hop. Read by hand from the names that differ only by accents in
# the data sets (`benchmarks/names.py --accents`). The better known of two artists has the
# plain key, so names that people often write without accents (Zoé, Aminé, Âme) aren't here.
_KEPT = """
adé, alía, amïn, aréna, ängie, bené, bée, bélo, biên, bôa, bö, bråvo, caê, cámille, cầm,
chloé, cortés, đen, denȳ, déluge, don hồ, duñe, dúné, egó, elefánt, evän, faraò, fariña, favé,
flëur, fröst, gamaliél, gåte, génesis, grēta, hallé, hào, häwk, hoāng, húgó, hương lý, inéz,
ía, jaël, jafú, juné, kaïn, kaká, katō, kéo, khải, koļa, kúra, laïs, lelé, leña, león, lolô,
lulú, lúc, lü, lücy, lửa, maía, malú, mariño, marwán, märvel, måla, míra, mörda, mýa, nanà,
nané, nági, nân, nâu, ngọc anh, nikoś, nonô, ntò, olívia, ö, ölga, papillón, pelé, perséphone,
péter nagy, quiñ, raphaël, rán, råsa, reën, rémy, rêve, rosé, röge, rüfüs, sané, sátyr, sâlo,
säje, shé, soulé, sôber, sôra, şam, tayá, táo, tālā, tāne, téo, tïger, totò, tọi, tùa, vavá,
vàli, ÿuma, zoë
"""
KEEP_ACCENTS = frozenset(" ".join(_KEPT.split()).split(", "))
