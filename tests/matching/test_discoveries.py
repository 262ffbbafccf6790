"""Artists to discover: ranked, and as files that other programs read."""

import csv
import io
import xml.etree.ElementTree as xml
from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from twotower.core.domain import Artist, Listener, Neighbour, Profile
from twotower.matching.discoveries import MAX_DISCOVERIES, Discovery, rank_discoveries
from twotower.matching.playlist_files import SEARCHES, XSPF, search_links, to_csv, to_m3u, to_xspf

MINE = Profile("me", {"low": Artist("Low")})


def neighbour(rank: int, *discover: str) -> Neighbour:
    listener = Listener(f"p{rank}", f"Person {rank}", "invented", ())
    return Neighbour(listener, rank, 0.5, 90.0, (), discover)


def test_the_best_ranked_neighbours_artists_come_first_and_shared_ones_move_up():
    near = [neighbour(1, "Slint", "Codeine"), neighbour(2, "Múm"), neighbour(3, "mum", "The Slint")]
    assert rank_discoveries(near, MINE) == (
        Discovery("Slint", ("Person 1", "Person 3")),
        Discovery("Múm", ("Person 2", "Person 3")),
        Discovery("Codeine", ("Person 1",)),
    )
    assert rank_discoveries(near, MINE, 1)[0].artist == "Slint"


def test_my_own_artists_are_no_discovery():
    assert rank_discoveries([neighbour(1, "LOW", "The Low")], MINE) == ()
    many = [neighbour(1, *(f"Artist {n}" for n in range(80)))]
    assert len(rank_discoveries(many, MINE)) == MAX_DISCOVERIES


def test_a_search_address_keeps_every_letter_of_the_name():
    links = search_links("AC/DC & friends?#")
    assert list(links) == list(SEARCHES)
    assert parse_qs(urlsplit(links["YouTube"]).query) == {"search_query": ["AC/DC & friends?#"]}
    assert unquote(urlsplit(links["Spotify"]).path) == "/search/AC/DC & friends?#/artists"


def test_the_csv_has_a_row_per_artist_and_no_formula():
    found = [Discovery("=1+1", ("@me", "Person 2")), Discovery('Say "hi", you', ("Person 1",))]
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [row["artist"] for row in rows] == ["'=1+1", 'Say "hi", you']
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert rows[0]["heard_by"] == "'@me / Person 2"
    assert rows[1]["musicbrainz"].startswith("https://musicbrainz.org/search?type=artist&query=Say")


def test_an_m3u_has_an_entry_and_an_address_for_each():
    found = [Discovery("Low\n#EXTINF:9,x", ("a",)), Discovery("Múm", ("b",))]
    assert to_m3u(found, "Mine\r\n2").splitlines() == [
        "#EXTM3U",
        "#PLAYLIST:Mine 2",
        "#EXTINF:-1,Low #EXTINF:9,x",
        "https://www.youtube.com/results?search_query=Low%20%23EXTINF%3A9%2Cx",
        "#EXTINF:-1,Múm",
        "https://www.youtube.com/results?search_query=M%C3%BAm",
    ]


NAMES = st.text(min_size=1, max_size=20)


@given(st.lists(st.builds(Discovery, NAMES, st.lists(NAMES, min_size=1).map(tuple)), max_size=5))
def test_an_xspf_is_valid_whatever_the_names(found: list[Discovery]):
    root = xml.fromstring(to_xspf(found, "<Mine> & more"))
    assert (root.tag, root.get("version")) == (f"{{{XSPF}}}playlist", "1")
    assert root.findtext(f"{{{XSPF}}}title") == "<Mine> & more"
    tracks = root.findall(f"{{{XSPF}}}trackList/{{{XSPF}}}track")
    assert len(tracks) == len(found)
    for track in tracks:
        assert [child.tag for child in track] == [
            f"{{{XSPF}}}{name}" for name in ("creator", "annotation", "info")
        ]
        assert (track.findtext(f"{{{XSPF}}}info") or "").startswith("https://")


def test_an_xspf_names_the_artists():
    root = xml.fromstring(to_xspf([Discovery("Simon & Garfunkel <3", ("a",))], "t"))
    assert root.findtext(f".//{{{XSPF}}}creator") == "Simon & Garfunkel <3"
