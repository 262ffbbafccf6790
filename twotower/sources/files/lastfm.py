"""Files of a listener's Last.fm and Libre.fm history, as several tools write them."""

from collections.abc import Iterator

from twotower.core.domain import Play
from twotower.sources.files.file_format import Fields, FileFormat
from twotower.sources.files.row_readers import PlayOrReason, json_reader
from twotower.sources.files.tables import Row, table_reader
from twotower.sources.values import artist_name, objects, song_title, text_in, unix_ms, unix_time

_LIBREFM = (frozenset({"artist", "track", "time"}),)


def _lastfmstats(row: Fields) -> Iterator[PlayOrReason]:
    yield Play(
        artist_name(row.get("artist")),
        song_title(row.get("track")) or None,
        at=unix_ms(row.get("date")),
    )


def _ghan_page(row: Fields) -> Iterator[PlayOrReason]:
    """Read a page of `user.getrecenttracks`, or one of its tracks."""
    for track in objects(row["track"]) if "track" in row else (row,):
        date = track.get("date")
        if not isinstance(date, dict):
            yield "playing when the file was written"
            continue
        yield Play(
            artist_name(text_in(track.get("artist"), "#text", "name")),
            song_title(track.get("name")) or None,
            at=unix_time(date.get("uts")),
        )


def _is_ghan_row(key: str, row: Fields) -> bool:
    if key:
        return False
    track = row.get("track")
    if isinstance(track, (list, dict)):
        return any("#text" in str(each.get("artist")) for each in objects(track)) or not track
    return isinstance(row.get("artist"), dict) and "name" in row and "date" in row


def _librefm(row: Row) -> PlayOrReason:
    return Play(
        artist_name(_from_utf7(row["artist"])),
        song_title(_from_utf7(row["track"])) or None,
        at=unix_time(row["time"]),
    )


def _from_utf7(text: str) -> str:
    """Decode UTF-7, in which Libre.fm writes all but plain letters: "Bj+APY-rk" is Björk."""
    if "+" not in text or not text.isascii():
        return text
    try:
        return text.encode("ascii").decode("utf-7")
    except UnicodeDecodeError:
        return text


FORMATS = (
    FileFormat(
        "lastfmstats",
        "Last.fm: JSON of lastfmstats.com",
        json_reader("scrobbles", _lastfmstats),
        json_row=lambda key, row: key == "scrobbles" and isinstance(row.get("track"), str),
    ),
    FileFormat(
        "lastfm-pages",
        "Last.fm: JSON of ghan.nl",
        json_reader("", _ghan_page),
        json_row=_is_ghan_row,
    ),
    FileFormat(
        "librefm",
        "Libre.fm: export",
        table_reader(_LIBREFM, _librefm),
        start=lambda text: text.startswith("+ACM-"),
    ),
)
