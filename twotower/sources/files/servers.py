"""Tables of media servers: Jellyfin's Playback Reporting, and Tautulli for Plex."""

from collections import Counter
from collections.abc import Iterator
from typing import IO

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.files.file_format import FileFormat
from twotower.sources.files.row_readers import SEPARATOR, PlayOrReason, plays_of_rows
from twotower.sources.files.tables import Columns, Row, table_rows
from twotower.sources.files.text import text_lines
from twotower.sources.values import clean, duration_ms, iso_time, unix_time

_TAUTULLI = (frozenset({"grandparenttitle", "title", "mediatype"}),)
_JELLYFIN = (frozenset({"itemtype", "itemname", "datecreated"}),)
_BACKUP = ("datecreated", "userid", "itemid", "itemtype", "itemname")  # then 4 more
_BACKUP_COLUMNS = 9


class _OneListener:
    """Makes sure that all rows are of one person: a server logs everybody who uses it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._user = ""

    def check(self, user: str) -> None:
        self._user = self._user or user
        if user and user != self._user:
            raise UnreadableExport(
                "has the plays of several people: export those of one user", where=self._name
            )


def _read_tautulli(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    yield from _plays(table_rows(file, name, _TAUTULLI), _tautulli, name, left_out)


def _read_jellyfin(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    yield from _plays(table_rows(file, name, _JELLYFIN), _jellyfin, name, left_out)
