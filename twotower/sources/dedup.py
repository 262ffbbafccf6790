"""Which plays were told before by another file, so that none counts twice."""

import re
import unicodedata
from array import array
from bisect import bisect_left, insort
from functools import lru_cache

from twotower.core.domain import Play

SAME_S = 1  # between the times of one play in two files of a kind
EARLIER_S, LATER_S = 180, 900  # of one play in files of two kinds: one tells when it began,
#                                another when it ended, and a pause lies in between
MOST_TIMES = 50_000  # of one title

_VERSION = re.compile(r"\s+-\s|[(\[]")  # begins what only some sources add to a title


class Heard:
    """Begins of plays by title, in the files read so far.

    Every play of an earlier file answers for one play of a later one, and no file is compared with
    itself. Artists are left out of it: one source names that of the track, another of the album.
    """

    def __init__(self) -> None:
        self._before: dict[str, dict[int, array[int]]] = {}  # kind of file -> title -> sorted times
        self._now: dict[int, array[int]] = {}

    def is_known(self, play: Play, kind: str) -> bool:
        """Whether an earlier file told this play; either way it is known from the next file on."""
        if play.at is None or not play.track or play.count != 1:
            return False
        title = hash(_plain(play.track))
        began = int(play.at.timestamp()) - (play.ms_played or 0) // 1000
        now = self._now.setdefault(title, array("q"))
        if len(now) < MOST_TIMES:
            insort(now, began)
        for other, titles in self._before.items():
            earlier, later = (SAME_S, SAME_S) if other == kind else (EARLIER_S, LATER_S)
            times = titles.get(title)
            if times is not None:
                at = bisect_left(times, began - later)
                if at < len(times) and times[at] <= began + earlier:
                    del times[at]
                    return True
        return False

    def next_file(self, kind: str) -> None:
        """What was told since the last call is a file, and known from now on."""
        titles = self._before.setdefault(kind, {})
        for title, times in self._now.items():
            known = titles.get(title)
            titles[title] = times if known is None else array("q", sorted((*known, *times)))
        self._now = {}


@lru_cache(maxsize=50_000)
def _plain(title: str) -> str:
    """`title` without case, accents, punctuation and what tells a version of it."""
    folded = unicodedata.normalize("NFKD", title).casefold()
    for text in (_VERSION.split(folded, maxsplit=1)[0], folded):
        if letters := "".join(filter(str.isalnum, text)):
            return letters
    return folded
