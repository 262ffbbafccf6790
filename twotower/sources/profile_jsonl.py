"""Profile JSON Lines, our own interchange format, read and written (docs/profile-format.md)."""

import gzip
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, cast

from twotower.core.domain import Artist, Playlist, Profile, Track
from twotower.core.errors import BadProfile
from twotower.sources.files.text import text_chunks
from twotower.sources.json_lines import write_lines
from twotower.sources.profile_parser import VERSION, OnlyPlaceholders, profile_from_json

LONGEST_LINE = 1 << 26  # characters


def read_profiles(
    file: IO[bytes] | IO[str] | Path, *, where: str = "", ignored: Counter[str] | None = None
) -> Iterator[Profile]:
    """Yield the profile in each line that isn't blank.

    A path may lead to a gzipped file. Unknown keys and origins are counted in `ignored`. Raises
    BadProfile with `where`, the line and the field.
    """
    for _, profile in read_numbered_profiles(file, where=where, ignored=ignored):
        yield profile


def read_numbered_profiles(
    file: IO[bytes] | IO[str] | Path,
    *,
    where: str = "",
    ignored: Counter[str] | None = None,
    wanted: Callable[[int], bool] | None = None,
) -> Iterator[tuple[int, Profile]]:
    """Yield (line number from 1, profile), only for line numbers that are `wanted`.

    Other lines are skipped without decoding, which takes next to no time.
    """
    if isinstance(file, Path):
        yield from _read_path(file, where, ignored, wanted)
        return
    for number, line in enumerate(_lines(file, where), 1):
        if (wanted is not None and not wanted(number)) or not line.strip():
            continue
        line_name = f"{where}, line {number}" if where else f"line {number}"
        try:
            data = _DECODER.decode(line)
        except RecursionError as deep:
            raise BadProfile("is nested too deeply", where=line_name) from deep
        except ValueError as fault:
            raise BadProfile(f"isn't valid JSON ({fault})", where=line_name) from fault
        try:
            profile = profile_from_json(data, line_name, ignored=ignored)
        except OnlyPlaceholders:
            continue  # its artists are counted as ignored
        yield number, profile


def _read_path(
    path: Path,
    where: str,
    ignored: Counter[str] | None,
    wanted: Callable[[int], bool] | None,
) -> Iterator[tuple[int, Profile]]:
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not is_packed:
                yield from read_numbered_profiles(file, where=where, ignored=ignored, wanted=wanted)
                return
            with closing(gzip.GzipFile(fileobj=file)) as unpacked:
                yield from read_numbered_profiles(
                    cast(IO[bytes], unpacked), where=where, ignored=ignored, wanted=wanted
                )
    except (OSError, EOFError) as fault:
        raise BadProfile(f"the file can't be read ({fault})", where=where) from fault


def _lines(file: IO[bytes] | IO[str], where: str) -> Iterator[str]:
    """Yield the lines of an open file. Raises BadProfile if one is longer than LONGEST_LINE."""
    pieces: list[str] = []  # of the line that isn't complete yet
    length = 0
    for text in _chunks(file, where):
        *lines, last = text.split("\n")
        for line in lines:
            yield "".join((*pieces, line))
            pieces, length = [], 0
        pieces.append(last)
        length += len(last)
        if length > LONGEST_LINE:
            raise BadProfile(f"a line has more than {LONGEST_LINE:,} characters", where=where)
    yield "".join(pieces)


def _chunks(file: IO[bytes] | IO[str], where: str) -> Iterator[str]:
    is_binary = isinstance(file.read(0), bytes)
    try:
        if is_binary:
            yield from text_chunks(cast(IO[bytes], file), errors="strict")
        else:
            while text := cast(IO[str], file).read(1 << 18):
                yield text
    except UnicodeError as fault:
        raise BadProfile("the text must be UTF-8", where=where) from fault


def _int_or_infinity(digits: str) -> float:
    """Read an integer; a very long one, which would take long to parse, becomes infinite."""
    return int(digits) if len(digits) < 20 else math.inf


_DECODER = json.JSONDecoder(parse_int=_int_or_infinity)


def write_profiles(profiles: Iterable[Profile], path: Path) -> int:
    """Write one line per profile, and return their number.

    The file is replaced atomically, and gzipped if the name ends in .gz.
    """
    return write_lines((profile_to_json(profile) for profile in profiles), path)


def profile_to_json(profile: Profile) -> dict[str, Any]:
    """Return a profile as the object of one line; empty fields are left out."""
    return _without_empty(
        {
            "v": VERSION,
            "id": profile.id,
            "name": profile.name,
            "origin": profile.origin,
            "from": profile.since and profile.since.isoformat(),
            "to": profile.until and profile.until.isoformat(),
            "clock": list(profile.clock),
            "genres": {tag: _int_if_whole(plays) for tag, plays in profile.genres.items()},
            "artists": [_artist_to_json(artist) for artist in profile.artists.values()],
            "tracks": [_track_to_json(track) for track in profile.tracks],
            "playlists": [_playlist_to_json(playlist) for playlist in profile.playlists],
            "audio": {
                name: {"mean": spread.mean, "std": spread.std}
                for name, spread in profile.audio.items()
            },
        }
    )


def _artist_to_json(artist: Artist) -> dict[str, Any]:
    return _without_empty(
        {
            "name": artist.name,
            "plays": _int_if_whole(artist.plays),
            "genres": list(artist.genres),
        }
    )


def _track_to_json(track: Track) -> dict[str, Any]:
    return _without_empty(
        {
            "name": track.name,
            "artist": track.artist,
            "plays": _int_if_whole(track.plays),
            "duration_s": track.duration_s,
            "released": track.released,
            "audio": dict(track.audio),
            "spotify": track.spotify,
            "mbid": track.mbid,
        }
    )


def _playlist_to_json(playlist: Playlist) -> dict[str, Any]:
    tracks = [{"name": track, "artist": artist} for track, artist in playlist.tracks]
    return {"name": playlist.name, "tracks": tracks}


def _without_empty(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value not in (None, "", [], {})}


def _int_if_whole(number: float) -> float:
    return int(number) if float(number).is_integer() else number
