"""Taking home what the neighbours hear: a list with links, and files of it."""

from collections.abc import Sequence

import streamlit as st

from twotower.core.domain import Neighbour, Profile
from twotower.matching.discoveries import (
    Discovery,
    discoveries,
    search_links,
    to_csv,
    to_m3u,
    to_xspf,
)
from twotower.ui.components import note
from twotower.ui.text import amount, escape

SHOWN = 12
TITLE = "What my musical neighbours hear"


def offer(neighbours: Sequence[Neighbour], mine: Profile) -> None:
    """The artists that the neighbours could show, where to look for each, and three files."""
    found = discoveries(neighbours, mine)
    with st.expander("Take home what they hear", key="take-home"):
        if not found:
            st.write("Your neighbours hear nothing that you don't: there is nothing to take home.")
            return
        st.markdown(
            f"{amount(len(found), 'artist')} that your nearest {len(neighbours)} hear and you "
            "don't, the nearest people's first."
        )
        _files(found)
        st.markdown("\n".join(map(_line, found[:SHOWN])))
        if len(found) > SHOWN:
            note(f"{len(found) - SHOWN} more are in the files.")
        note(
            "Playlists name artists, for that is what is known of a listener: a player that looks "
            "music up by name finds it, any other opens a search at YouTube. A link tells its "
            "place whom you look for."
        )


def _line(each: Discovery) -> str:
    links = " · ".join(
        f"[{place}]({address})" for place, address in search_links(each.artist).items()
    )
    first, *others = each.heard_by
    who = f"{escape(first)} and {len(others)} more" if others else escape(first)
    return f"1. **{escape(each.artist)}** :gray[· heard by {who}]  \n   :small[{links}]"


def _files(found: Sequence[Discovery]) -> None:
    with st.container(horizontal=True, gap="small"):
        for label, content, name, kind in (
            ("CSV", to_csv(found), "discoveries.csv", "text/csv"),
            ("XSPF playlist", to_xspf(found, TITLE), "discoveries.xspf", "application/xspf+xml"),
            ("M3U playlist", to_m3u(found, TITLE), "discoveries.m3u8", "audio/x-mpegurl"),
        ):
            st.download_button(
                label,
                content,
                file_name=name,
                mime=kind,
                icon=":material/download:",
                on_click="ignore",
                key=f"take-{name}",
            )
