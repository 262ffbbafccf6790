"""Discovered artists as files: CSV, and XSPF and M3U playlists.

Listeners are known by their artists only, so the files name artists. Playlists need the address of
a recording: they get that of a search for the artist.
"""

import xml.etree.ElementTree as xml
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import quote

from twotower.core.csv_files import Cell, csv_text, joined
from twotower.matching.discoveries import Discovery
from twotower.sources.values import clean

# Name of the service -> address of its search, with {} for the artist.
SEARCHES: Mapping[str, str] = MappingProxyType(
    {
        "MusicBrainz": "https://musicbrainz.org/search?type=artist&query={}",
        "Bandcamp": "https://bandcamp.com/search?item_type=b&q={}",
        "YouTube": "https://www.youtube.com/results?search_query={}",
        "Spotify": "https://open.spotify.com/search/{}/artists",
    }
)
PLAYLIST_SERVICE = "YouTube"  # its search stands for a recording
XSPF = "http://xspf.org/ns/0/"


def search_links(artist: str) -> Mapping[str, str]:
    """Return service -> address of its search for the artist."""
    name = quote(clean(artist), safe="")
    return {service: address.format(name) for service, address in SEARCHES.items()}


def to_csv(discoveries: Sequence[Discovery]) -> str:
    """Return CSV with a header: rank, artist, listeners, and a search address per service."""
    header = ["rank", "artist", "heard_by", *(service.lower() for service in SEARCHES)]
    rows: list[list[Cell]] = []
    for rank, each in enumerate(discoveries, 1):
        names = joined(map(clean, each.heard_by))
        rows.append([rank, clean(each.artist), names, *search_links(each.artist).values()])
    return csv_text(header, rows)


def to_xspf(discoveries: Sequence[Discovery], title: str) -> bytes:
    """Return an XSPF playlist (version 1, UTF-8); players match its artist names to music."""
    xml.register_namespace("", XSPF)
    playlist = xml.Element(f"{{{XSPF}}}playlist", version="1")
    _add(playlist, "title", title)
    tracks = xml.SubElement(playlist, f"{{{XSPF}}}trackList")
    for each in discoveries:
        track = xml.SubElement(tracks, f"{{{XSPF}}}track")
        _add(track, "creator", each.artist)
        _add(track, "annotation", f"Played by {', '.join(each.heard_by)}")
        _add(track, "info", search_links(each.artist)[PLAYLIST_SERVICE])
    xml.indent(playlist)
    return bytes(xml.tostring(playlist, encoding="UTF-8", xml_declaration=True)) + b"\n"


def to_m3u(discoveries: Sequence[Discovery], title: str) -> str:
    """Return an extended M3U playlist with one entry per artist."""
    lines = ["#EXTM3U", f"#PLAYLIST:{clean(title)}"]
    for each in discoveries:
        lines += [f"#EXTINF:-1,{clean(each.artist)}", search_links(each.artist)[PLAYLIST_SERVICE]]
    return "\n".join(lines) + "\n"


def _add(parent: xml.Element, name: str, text: str) -> None:
    allowed = "".join(char for char in clean(text) if char not in "\ufffe\uffff")
    xml.SubElement(parent, f"{{{XSPF}}}{name}").text = allowed
