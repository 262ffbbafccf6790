"""What the nearest people hear and oneself doesn't yet, as files to take home.

Only artists are known of a listener, so the files name artists: where a playlist wants the address
of a recording, it gets that of a search.
"""

import csv
import io
import xml.etree.ElementTree as xml
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from twotower.core.domain import Neighbour, Profile
from twotower.core.names import artist_key
from twotower.sources.values import clean

MOST = 50
XSPF = "http://xspf.org/ns/0/"
# Where an artist can be looked for: name of the place -> address, with {} for the name.
SEARCHES: Mapping[str, str] = MappingProxyType(
    {
        "MusicBrainz": "https://musicbrainz.org/search?type=artist&query={}",
        "Bandcamp": "https://bandcamp.com/search?item_type=b&q={}",
        "YouTube": "https://www.youtube.com/results?search_query={}",
        "Spotify": "https://open.spotify.com/search/{}/artists",
    }
)
IN_FILES = "YouTube"  # the search that stands for a recording


@dataclass(frozen=True, slots=True)
class Discovery:
    """An artist that some of the nearest people hear and the listener doesn't."""

    artist: str  # as the nearest of them writes it
    heard_by: tuple[str, ...]  # their names, the nearest first


def discoveries(
    neighbours: Sequence[Neighbour], mine: Profile, most: int = MOST
) -> tuple[Discovery, ...]:
    """The artists that neighbours could show, those first that the nearest put first.

    An artist that several put forward moves up.
    """
    weights: dict[str, float] = {}
    written: dict[str, str] = {}
    heard_by: dict[str, list[str]] = {}
    for neighbour in neighbours:
        for place, name in enumerate(neighbour.discover, 1):
            key = artist_key(name)
            if key not in mine.artists:
                weights[key] = weights.get(key, 0.0) + 1.0 / (neighbour.rank + place)
                written.setdefault(key, name)
                heard_by.setdefault(key, []).append(neighbour.listener.name)
    ranked = sorted(weights, key=lambda key: -weights[key])[:most]
    return tuple(Discovery(written[key], tuple(heard_by[key])) for key in ranked)


def search_links(artist: str) -> Mapping[str, str]:
    """Name of the place -> address of a search for the artist there."""
    name = quote(clean(artist), safe="")
    return {place: address.format(name) for place, address in SEARCHES.items()}


def to_csv(found: Sequence[Discovery]) -> str:
    """A table with a header: rank, artist, who hears it, and a search at each place."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["rank", "artist", "heard_by", *(place.lower() for place in SEARCHES)])
    for rank, each in enumerate(found, 1):
        names = "; ".join(map(clean, each.heard_by))
        links = search_links(each.artist).values()
        table.writerow([rank, cell(clean(each.artist)), cell(names), *links])
    return out.getvalue()


def to_xspf(found: Sequence[Discovery], title: str) -> bytes:
    """An XSPF playlist (version 1, UTF-8) that players match to music by the artists' names."""
    xml.register_namespace("", XSPF)
    playlist = xml.Element(f"{{{XSPF}}}playlist", version="1")
    _add(playlist, "title", title)
    tracks = xml.SubElement(playlist, f"{{{XSPF}}}trackList")
    for each in found:
        track = xml.SubElement(tracks, f"{{{XSPF}}}track")
        _add(track, "creator", each.artist)
        _add(track, "annotation", f"Heard by {', '.join(each.heard_by)}")
        _add(track, "info", search_links(each.artist)[IN_FILES])
    xml.indent(playlist)
    return bytes(xml.tostring(playlist, encoding="UTF-8", xml_declaration=True)) + b"\n"


def to_m3u(found: Sequence[Discovery], title: str) -> str:
    """An extended M3U playlist in UTF-8, an entry an artist."""
    lines = ["#EXTM3U", f"#PLAYLIST:{clean(title)}"]
    for each in found:
        lines += [f"#EXTINF:-1,{clean(each.artist)}", search_links(each.artist)[IN_FILES]]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def _add(parent: xml.Element, name: str, text: str) -> None:
    allowed = "".join(char for char in clean(text) if char not in "\ufffe\uffff")
    xml.SubElement(parent, f"{{{XSPF}}}{name}").text = allowed
