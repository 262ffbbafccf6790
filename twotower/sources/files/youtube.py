"""YouTube Music's files from Google Takeout: watch history (JSON or HTML), library, playlists."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from itertools import chain, islice
from typing import IO

from twotower.core.domain import Play
from twotower.core.errors import UnreadableExport
from twotower.sources.dates import parse_time
from twotower.sources.files.file_format import Fields, FileFormat
from twotower.sources.files.json_stream import json_rows
from twotower.sources.files.row_readers import PlayOrReason, artist_names, plays_of_rows
from twotower.sources.files.tables import Row, table_reader
from twotower.sources.files.text import LONGEST_LINE, text_chunks
from twotower.sources.values import artist_name, clean, iso_time, objects, song_title

MUSIC = "YouTube Music"  # the same in all languages
_MUSIC_ADDRESS = "https://music.youtube.com/"
_TOPIC = " - Topic"  # ends the name of a channel that YouTube makes of an artist's songs
_LIBRARY = (
    frozenset({"songtitle", "albumtitle", "artistname1"}),
    frozenset({"songtitle", "albumtitle", "artistnames"}),
)
_PLAYLIST = (
    frozenset({"videoid", "playlistvideocreationtimestamp"}),
    frozenset({"videoid", "timeadded"}),
)
_HISTORY_MEMBER = re.compile(  # all but the history of searches
    r"youtube[^/]*/(?!.*(search|such|recherche|b[uú]squeda|pesquisa|ricerc|zoek|szuk|arama|поиск"
    r"|検索|검색|搜)).*\.(json|html)$"
)
_TABLE_MEMBER = re.compile(r"youtube[^/]*/(playlists?|m[uú]s[^/]*)/[^/]*\.csv$")

# What surrounds the title of a song in the account's language, if too few rows show it.
_PHRASES = (
    *(("Watched ", ""), ("", " angesehen"), ("Vous avez regardé ", ""), ("Has visto ", "")),
    *(("Viste ", ""), ("Hai guardato ", ""), ("Você assistiu a ", ""), ("", " bekeken")),
    *(("Obejrzano: ", ""), ("", " izlendi"), ("Вы посмотрели видео ", "")),
    *(("", " を視聴しました"), ("", " 을(를) 시청했습니다"), ("观看了 ", ""), ("已觀看 ", "")),
)
_ROWS_FOR_PHRASE = 500
_TITLES_FOR_PHRASE = 10  # different ones, at least
_PHRASE_SHARE = 0.9  # of the titles have the words of the phrase
_QUOTES = ('""', "“”", "„“", "«»", "「」")

_ENTRY_START = 'class="outer-cell'
_LONGEST_ENTRY = 1 << 14  # characters; the rest of a longer entry is ignored
_LINK = re.compile(r'<a\s[^<>]{0,200}?href="([^"<>]{0,2000})"[^<>]{0,200}>([^<>]{0,2000})</a>')
_HEADER = re.compile(r'--title">([^<>]{0,80})<')
_DATE = re.compile(r"</a>(?:\s|<br\s?/?>)*([^<>]{6,80})<")


@dataclass(frozen=True, slots=True)
class _Watched:
    """One row of a watch history."""

    product: str
    title: str  # in JSON with a phrase around it
    address: str
    channel: str
    at: datetime | None
    is_advert: bool = False

    def play(self, title: str) -> PlayOrReason:
        if self.is_advert:
            return "adverts"
        is_topic = self.channel.endswith(_TOPIC)
        if not (self.product == MUSIC or self.address.startswith(_MUSIC_ADDRESS) or is_topic):
            return "videos"
        if not self.channel:
            return "no artist"
        return Play(artist_name(self.channel), title or None, at=self.at)


def _read_json(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    """Yield the songs of a watch-history.json."""
    rows = (_watched(row) if isinstance(row, dict) else None for _, row in json_rows(file, name))
    first = list(islice(rows, _ROWS_FOR_PHRASE))
    phrase = _common_phrase([row.title for row in first if row is not None and row.channel])

    def plays() -> Iterator[PlayOrReason]:
        for row in chain(first, rows):
            yield "other rows" if row is None else row.play(_without_phrase(row.title, phrase))

    yield from plays_of_rows(plays(), left_out)


def _watched(row: Fields) -> _Watched:
    channels = objects(row.get("subtitles"))
    return _Watched(
        product=clean(row.get("header")),
        title=song_title(row.get("title")),
        address=str(row.get("titleUrl"))[:100],
        channel=song_title(channels[0].get("name")) if channels else "",
        at=iso_time(row.get("time")),
        is_advert=any(
            "Google Ads" in clean(each.get("name")) for each in objects(row.get("details"))
        ),
    )


def _common_phrase(titles: Sequence[str]) -> tuple[str, str] | None:
    """Return the words that nearly all titles begin and end with; None if there are too few."""
    words = [title.split(" ") for title in dict.fromkeys(titles)]
    if len(words) < _TITLES_FOR_PHRASE:
        return None
    before = " ".join(_common_start(words))
    after = " ".join(reversed(_common_start([each[::-1] for each in words])))
    return (f"{before} " if before else "", f" {after}" if after else "")


def _common_start(titles: Sequence[Sequence[str]]) -> list[str]:
    common: list[str] = []
    while True:
        at = len(common)
        counts = Counter(title[at] for title in titles if len(title) > at + 1)
        word, count = max(counts.items(), key=lambda item: item[1], default=("", 0))
        if count < _PHRASE_SHARE * len(titles):
            return common
        common.append(word)


def _without_phrase(title: str, phrase: tuple[str, str] | None) -> str:
    for before, after in _PHRASES if phrase is None else (phrase,):
        is_inside = len(title) > len(before) + len(after)
        if (before or after) and is_inside and title.startswith(before) and title.endswith(after):
            title = title[len(before) : len(title) - len(after)]
            is_quoted = len(title) > 2 and title[0] + title[-1] in _QUOTES
            return title[1:-1] if is_quoted else title
    return title


def _read_html(file: IO[bytes], name: str, left_out: Counter[str]) -> Iterator[Play]:
    """Yield the songs of a watch-history.html."""
    yield from plays_of_rows(map(_entry, _entries(file, name)), left_out)


def _entries(file: IO[bytes], name: str) -> Iterator[str]:
    """Yield the HTML of each entry, which may all stand in one line."""
    rest, is_before_first = "", True
    for text in chain(text_chunks(file), (_ENTRY_START,)):
        *entries, rest = (rest + text).split(_ENTRY_START)
        for entry in entries:
            if not is_before_first:
                yield entry[:_LONGEST_ENTRY]
            is_before_first = False
        if len(rest) > LONGEST_LINE:
            raise UnreadableExport("an entry is too long: download the file again", where=name)


def _entry(html: str) -> PlayOrReason:
    links = _LINK.findall(html)
    header, date = _HEADER.search(html), None
    if len(links) > 1:
        date = _DATE.search(html, html.find(links[1][0]))
    watched = _Watched(
        product=clean(unescape(header[1])) if header else "",
        title=song_title(links[0][1]) if links else "",
        address=unescape(links[0][0]) if links else "",
        channel=song_title(links[1][1]) if len(links) > 1 else "",
        at=parse_time(unescape(date[1])) if date else None,
        is_advert="Google Ads" in html,
    )
    return watched.play(watched.title)


def _is_html(text: str) -> bool:
    head = text[:1000].lower()
    return head.startswith(("<html", "<!doctype html")) and ("youtube" in head or "mdl-" in text)


def _is_watch(key: str, row: Fields) -> bool:
    return key == "" and "titleUrl" in row and "header" in row and "time" in row


def _saved(row: Row) -> PlayOrReason:
    numbered = (row[f"artistname{number}"] for number in range(1, 21))
    artists = artist_names(chain(numbered, (row["artistnames"],)))
    if not artists:
        return "no artist"
    return Play(artists[0], song_title(row["songtitle"]) or None, "saved", guests=artists[1:])


FORMATS = (
    FileFormat(
        "youtube-history",
        "YouTube Music: watch-history.json",
        _read_json,
        json_row=_is_watch,
        member=_HISTORY_MEMBER,
    ),
    FileFormat(
        "youtube-history-page",
        "YouTube Music: watch-history.html",
        _read_html,
        start=_is_html,
    ),
    FileFormat(
        "youtube-library",
        "YouTube Music: music library songs",
        table_reader(_LIBRARY, _saved),
        columns=_LIBRARY,
        member=_TABLE_MEMBER,
        is_timed=False,
    ),
    FileFormat(
        "youtube-playlist",
        "YouTube Music: playlists",
        table_reader(_PLAYLIST, lambda _: "songs that are only ids, without names"),
        columns=_PLAYLIST,
        is_timed=False,
    ),
)
