"""Credits of several artists ("A & B", "A feat. B") in a profile, split if the artists are known.

Readers keep a credit as one name, because some artists are named like one ("Simon & Garfunkel").
Only a catalogue of artists can tell, so this works on the profile of everything that was read.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

from twotower.core.domain import Artist, Playlist, Profile, Track
from twotower.core.names import artist_key, is_artist_name

NameOf = Callable[[str], str | None]  # artist key -> name in the catalogue, None if it isn't there
_Parts = Mapping[str, tuple[str, ...]]  # name of a credit -> names of its artists

MOST_PARTS = 20  # of one credit
INITIALS = range(3, 7)  # numbers of letters of a name such as "NWA"
_IN_BRACKETS = re.compile(r"[(\[]\s*((?:feat|ft|featuring|with)\b[^()\[\]]*)[)\]]", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"\s*;\s*|\s*,(?!\d{3})\s*|\s+(?:&|x|×|/|(?i:feat\.?|ft\.?|featuring|with))\s+"
)
_SORT_NAME = re.compile(r"([^,]+),\s*([^,]+)")  # "Bowie, David"


def split_credits(profile: Profile, name_of: NameOf) -> tuple[Profile, int]:
    """Return the profile with credits split, and the number of credits that were.

    A name that the catalogue lacks is split if the catalogue knows its first part; each part is as
    long as a known name can be. Each artist of a credit gets its plays; its tracks go to the first.
    A name that differs from a known one only in blanks ("NWA") or order ("Bowie, David") becomes
    that. Returns the same object if nothing changes.
    """
    names = {artist.name for artist in profile.artists.values()}
    names.update(track.artist for track in profile.tracks)
    parts_of = {name: artists_of_credit(name, name_of) for name in names}
    parts_of = {name: parts for name, parts in parts_of.items() if parts != (name,)}
    if not parts_of:
        return profile, 0
    split = replace(
        profile,
        artists=_split_artists(profile.artists, parts_of),
        tracks=tuple(_with_first_artist(track, parts_of) for track in profile.tracks),
        playlists=tuple(_with_first_artists(each, parts_of) for each in profile.playlists),
    )
    credits = sum(len(parts_of.get(a.name, ())) > 1 for a in profile.artists.values())
    return split, credits


def artists_of_credit(name: str, name_of: NameOf) -> tuple[str, ...]:
    """Return the artists that a name credits: (name,) if the catalogue doesn't say otherwise."""
    if _find(name, name_of) is not None:
        return (name,)
    if other := _known_spelling(name, name_of):
        return (other,)
    text = _IN_BRACKETS.sub(r" \1", name)
    spans = _spans(text)
    if not 1 < len(spans) <= MOST_PARTS:
        return (name,)
    parts: list[str] = []
    at = 0
    while at < len(spans):
        for end in range(len(spans), at, -1):
            part = text[spans[at][0] : spans[end - 1][1]].strip()
            known = part if _find(part, name_of) else _known_spelling(part, name_of)
            if known or end == at + 1:
                break
        if not parts and not known:
            return (name,)  # the first part is unknown
        if is_artist_name(part):
            parts.append(known or part)
        at = end
    return tuple(dict.fromkeys(parts))


def _spans(text: str) -> list[tuple[int, int]]:
    """Return the beginning and end of each part between separators, without empty ones."""
    cuts = [(0, 0), *(found.span() for found in _SEPARATOR.finditer(text)), (len(text), len(text))]
    spans = [(one[1], other[0]) for one, other in pairwise(cuts)]
    return [(start, end) for start, end in spans if text[start:end].strip()]


def _find(name: str, name_of: NameOf) -> str | None:
    return name_of(artist_key(name)) if is_artist_name(name) else None


def _known_spelling(name: str, name_of: NameOf) -> str | None:
    """Return the known name that differs only in blanks or order, None if there is none."""
    if not is_artist_name(name):
        return None
    if (sort_name := _SORT_NAME.fullmatch(name)) and (
        known := _find(f"{sort_name[2]} {sort_name[1]}", name_of)
    ):
        return known
    key = artist_key(name)
    if " " in key:
        return name_of(key.replace(" ", ""))
    are_initials = name.isascii() and name.isupper() and len(key) in INITIALS
    return name_of(" ".join(key)) if are_initials else None


def _split_artists(artists: Mapping[str, Artist], parts_of: _Parts) -> Mapping[str, Artist]:
    """Add the plays of each credit to its artists, most played first.

    The genres of a credit are left out: they may be those of any of its artists.
    """
    split: dict[str, Artist] = {}
    for artist in artists.values():
        parts = parts_of.get(artist.name, (artist.name,))
        genres = artist.genres if len(parts) == 1 else ()
        for name in parts:
            key = artist_key(name)
            known = split.get(key, Artist(name, 0.0))
            all_genres = tuple(dict.fromkeys((*known.genres, *genres)))
            split[key] = Artist(known.name, known.plays + artist.plays, all_genres)
    return dict(sorted(split.items(), key=lambda item: -item[1].plays))


def _with_first_artist(track: Track, parts_of: _Parts) -> Track:
    parts = parts_of.get(track.artist)
    return track if parts is None else replace(track, artist=parts[0])


def _with_first_artists(playlist: Playlist, parts_of: _Parts) -> Playlist:
    tracks = ((title, parts_of.get(name, (name,))[0]) for title, name in playlist.tracks)
    return replace(playlist, tracks=tuple(tracks))
