"""The public listens dump of ListenBrainz: who heard which artist how often.

A dump holds a listen a line, by month and not by listener, so plays are summed up as it goes by. A
full one has more pairs of listener and artist than fit in memory: sums that don't fit wait in a
temporary folder, parted by listener, until everything is read.
"""

import gzip
import json
import lzma
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

import pyarrow

from twotower.core.domain import Artist, Profile
from twotower.core.errors import MissingData, UnreadableExport
from twotower.core.names import artist_key, is_artist_name
from twotower.sources.datasets.tables import FOLDERS
from twotower.sources.values import clean

ORIGIN = "listenbrainz"
MOST_HELD = 500_000  # pairs of listener and artist in memory, about 200 MB
PARTS = 256  # files that wait; one at a time is summed up in memory
EARLIEST, LATEST = 946_684_800, 4_102_444_800  # 2000 and 2100; another time is a clock not set
LONGEST_LINE = 1 << 24  # bytes
_EPOCH = date(1970, 1, 1).toordinal()
_TOLD_EVERY = 20_000  # lines between two words of progress
_PLAIN = (".listens", ".listens.gz", ".listens.zst")
_PACKED = (".tar", ".tar.zst", ".tar.xz", ".tar.gz", ".tar.bz2")
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, pyarrow.ArrowException)

Progress = Callable[[float, str], None]  # share read so far, 0..1; what is being read


def read_listens(
    folder: Path, *, progress: Progress | None = None, left_out: Counter[str] | None = None
) -> Iterator[Profile]:
    """Yield the listeners of the dumps in `folder`, full and incremental ones together.

    Monthly `.listens` files anywhere below it, plain, .gz or .zst, and archives of them (.tar,
    .tar.zst, .tar.xz, .tar.gz); an archive that lies unpacked beside itself is read once. Ids are
    the dump's numbers, or names where it has no numbers. Where a listen is mapped to MusicBrainz,
    each artist of its credit gets the play. Lines that are no listen are counted in `left_out`.
    MissingData where there is no dump, UnreadableExport where a file is damaged or holds none.
    """
    left_out = Counter() if left_out is None else left_out
    paths = _files(folder)
    total = sum(path.stat().st_size for path in paths) or 1
    before = 0
    with ExitStack() as stack:
        sums = _Sums(stack)
        for path in paths:

            def tell(read: int, what: str, before: int = before) -> None:
                if progress is not None:
                    progress(min(1.0, (before + read) / total), what)

            _read_file(path, sums, left_out, tell)
            before += path.stat().st_size
        yield from sums.profiles()


def _files(folder: Path) -> list[Path]:
    """The files to read, or `folder` itself where it is one."""
    found = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    files = [path for path in found if path.is_file()]
    plain = [path for path in files if path.name.endswith(_PLAIN)]
    packed = [path for path in files if path.name.endswith(_PACKED) and not _is_unpacked(path)]
    if not plain and not packed:
        hint = "; Spark dumps (.parquet) are another kind" * any(
            path.suffix == ".parquet" for path in files
        )
        raise MissingData(
            f"no .listens file and no .tar.zst of the data set {FOLDERS[ORIGIN]} is in "
            f"{folder}{hint}; docs/data.md says where to get it"
        )
    return plain + packed


def _is_unpacked(archive: Path) -> bool:
    return archive.with_name(archive.name.split(".tar")[0]).is_dir()


def _read_file(
    path: Path, sums: "_Sums", left_out: Counter[str], tell: Callable[[int, str], None]
) -> None:
    """Add the listens of one file, or of the `.listens` files in one archive."""
    found, number, name = 0, 0, path.name
    try:
        with path.open("rb") as file:
            for name, number, line in _lines(path, _unpacked(path, file)):
                if number % _TOLD_EVERY == 1:
                    tell(file.tell(), f"Reading {name}")
                if why := sums.add(line):
                    left_out[why] += 1
                else:
                    found += 1
    except _DAMAGED as problem:
        raise UnreadableExport(
            f"the file is damaged or only half of it is here ({problem}): get it again, "
            "docs/data.md says where",
            where=f"{path.name}, after line {number:,} of {name}",
        ) from problem
    if not found:
        raise UnreadableExport(
            "no listens in it: take the listens dump, not the one of tables or for Spark; "
            "docs/data.md says which",
            where=path.name,
        )


def _unpacked(path: Path, file: IO[bytes]) -> IO[bytes]:
    opened: Any = file
    if path.name.endswith(".zst"):
        opened = pyarrow.CompressedInputStream(file, "zstd")
    elif path.name.endswith(".listens.gz"):
        opened = gzip.GzipFile(fileobj=file)
    return cast(IO[bytes], opened)


def _lines(path: Path, file: IO[bytes]) -> Iterator[tuple[str, int, bytes]]:
    """(file in the dump, line, its bytes), of a monthly file or of all in an archive."""
    if not path.name.endswith(_PACKED):
        for number, line in enumerate(_split(file), 1):
            yield path.name, number, line
        return
    number = 0
    with tarfile.open(fileobj=file, mode="r|" if path.suffix == ".zst" else "r|*") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.endswith(".listens") else None
            if stream is not None:
                name = "/".join(member.name.split("/")[-2:])
                for number, line in enumerate(_split(stream), 1):
                    yield name, number, line


def _split(file: IO[bytes]) -> Iterator[bytes]:
    """Lines of a stream that can do no more than be read on."""
    rest = b""
    while piece := file.read(1 << 20):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > LONGEST_LINE:
            raise OSError(f"a line has more than {LONGEST_LINE:,} bytes")
    if rest:
        yield rest


class _Sums:
    """Plays of each listener and artist, and the first and last day, however many there are."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._folder: Path | None = None  # there once memory was too small
        self._held: dict[tuple[str, str], list[Any]] = {}

    def add(self, line: bytes) -> str:
        """Add one line of a dump; why it isn't counted, or nothing."""
        if not line.strip():
            return "empty lines"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return "broken lines"
        told = row.get("track_metadata") if isinstance(row, dict) else None
        if not isinstance(told, dict):
            return "other lines"
        listener = clean(row.get("user_id")) or clean(row.get("user_name"))
        names = _artists(told)
        if not listener or not names:
            return "no artist" if listener else "no listener"
        day = _day(row.get("listened_at", row.get("timestamp")))
        for key, name in names.items():
            self._sum(listener, key, name, 1, day, day)
        if len(self._held) > MOST_HELD:
            self._put_away()
        return ""

    def _sum(self, listener: str, key: str, name: str, plays: int, first: int, last: int) -> None:
        """Days are numbers, 0 where none is known."""
        known = self._held.get((listener, key))
        if known is None:
            self._held[listener, key] = [name, plays, first, last]
        else:
            known[1] += plays
            known[2] = min(known[2] or first, first or known[2])
            known[3] = max(known[3], last)

    def _put_away(self) -> None:
        """Write what is held to the files that wait."""
        if self._folder is None:
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        lines: list[list[str]] = [[] for _ in range(PARTS)]
        for (listener, key), rest in self._held.items():
            lines[zlib.crc32(listener.encode()) % PARTS].append(
                json.dumps([listener, key, *rest], separators=(",", ":")) + "\n"
            )
        self._held = {}
        for number, part in enumerate(lines):
            with (self._folder / str(number)).open("a", encoding="ascii") as file:
                file.writelines(part)

    def profiles(self) -> Iterator[Profile]:
        if self._folder is None:
            yield from self._held_profiles()
            return
        self._put_away()
        for number in range(PARTS):
            with (self._folder / str(number)).open(encoding="ascii") as file:
                for line in file:
                    self._sum(*json.loads(line))
            yield from self._held_profiles()
            self._held = {}

    def _held_profiles(self) -> Iterator[Profile]:
        listeners: dict[str, dict[str, list[Any]]] = {}
        for (listener, key), summed in self._held.items():
            listeners.setdefault(listener, {})[key] = summed
        for listener, artists in listeners.items():
            ordered = sorted(artists.items(), key=lambda item: -item[1][1])
            known = {key: Artist(name, float(plays)) for key, (name, plays, *_) in ordered}
            firsts = [summed[2] for summed in artists.values() if summed[2]]
            lasts = [summed[3] for summed in artists.values() if summed[3]]
            yield Profile(
                listener,
                MappingProxyType(known),
                origin=ORIGIN,
                since=date.fromordinal(min(firsts)) if firsts else None,
                until=date.fromordinal(max(lasts)) if lasts else None,
            )


def _artists(told: Mapping[str, Any]) -> dict[str, str]:
    """Artist key -> name: those of the credit where the listen is mapped, else as it was sent."""
    mapping = told.get("mbid_mapping")
    credits = mapping.get("artists") if isinstance(mapping, dict) else None
    names = [
        clean(one.get("artist_credit_name"))
        for one in (credits if isinstance(credits, list) else ())
        if isinstance(one, dict)
    ]
    found = {artist_key(name): name for name in names if is_artist_name(name)}
    if not found and is_artist_name(name := clean(told.get("artist_name"))):
        found = {artist_key(name): name}
    return found


def _day(at: object) -> int:
    """The day of a time in seconds as its ordinal; 0 where it is none."""
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not EARLIEST <= at < LATEST:
        return 0
    return _EPOCH + int(at) // 86_400
