"""Duplicate plays across files: the same title at about the same time."""

import re
import unicodedata
from array import array
from bisect import bisect_left, insort
from functools import lru_cache

from twotower.core.domain import Play

SAME_KIND_S = 1  # between the start times of one play in two files of the same kind
# In files of different kinds, one may have the start and the other the end of a play, with a pause
# in between:
EARLIER_S, LATER_S = 180, 900
MOST_TIMES = 50_000  # per title

_VERSION = re.compile(r"\s+-\s|[(\[]")  # starts what only some sources add to a title


class DuplicateFinder:
    """Start times of plays by title, in the files read so far.

    Each play of an earlier file matches at most one play of a later file; plays of the same file
    are never compared. Artists are ignored, because one source names the track's artist and another
    the album's.
    """

    def __init__(self) -> None:
        # kind of file -> hash of the title -> sorted start times, seconds since 1970
        self._earlier_files: dict[str, dict[int, array[int]]] = {}
        self._this_file: dict[int, array[int]] = {}

    def is_duplicate(self, play: Play, kind: str) -> bool:
        """Return True if an earlier file has this play; remember it for later files either way."""
        if play.at is None or not play.track or play.count != 1:
            return False
        title = hash(_plain(play.track))
        start = int(play.at.timestamp()) - (play.ms_played or 0) // 1000
        times_here = self._this_file.setdefault(title, array("q"))
        if len(times_here) < MOST_TIMES:
            insort(times_here, start)
        for other, titles in self._earlier_files.items():
            same = other == kind
            earlier, later = (SAME_KIND_S, SAME_KIND_S) if same else (EARLIER_S, LATER_S)
            times = titles.get(title)
            if times is not None:
                at = bisect_left(times, start - later)
                if at < len(times) and times[at] <= start + earlier:
                    del times[at]
                    return True
        return False

    def end_file(self, kind: str) -> None:
        """Mark the plays since the last call as those of one earlier file of this kind."""
        titles = self._earlier_files.setdefault(kind, {})
        for title, times in self._this_file.items():
            known = titles.get(title)
            titles[title] = times if known is None else array("q", sorted((*known, *times)))
        self._this_file = {}


@lru_cache(maxsize=50_000)
def _plain(title: str) -> str:
    """Strip case, accents, punctuation and the version ("- Remastered 2011") from a title."""
    folded = unicodedata.normalize("NFKD", title).casefold()
    for text in (_VERSION.split(folded, maxsplit=1)[0], folded):
        if letters := "".join(filter(str.isalnum, text)):
            return letters
    return folded
