"""People on a page: cards, badges, and the list to take home."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from twotower.core.domain import Listener, Neighbour, Profile
from twotower.core.names import artist_key
from twotower.matching.discoveries import cell
from twotower.ui.components import MAP, note
from twotower.ui.text import company, decimal, escape, evidence, names, percent

if TYPE_CHECKING:
    from twotower.community import MemberSnapshot
    from twotower.model.portrait import Portrait

JOINED = "joined"  # what marks the others
SHARED, DISCOVER, AGREED = 6, 6, 8  # artists shown on a card, and above the cards


def heading_line(text: str, listener: Listener | None = None, *, level: int = 3) -> None:
    """A heading and, of a listener, the badge that says whether there is a person behind it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if level == 3:
            st.subheader(text, anchor=False, width="content")
        else:
            st.header(text, anchor=False, width="content")
        if listener is not None and listener.is_synthetic:
            st.badge(
                "invented",
                color="gray",
                help="Drawn from the model, not a real person: so that there is company from "
                "the first minute, and nobody's data is shown.",
            )
        elif listener is not None:
            st.badge(
                JOINED,
                color="green",
                help="A person who joined this community, under a pseudonym, and chose what "
                "others see.",
            )


SIMILARITY = (
    "Adds up taste, shared rare artists and related artists. "
    "People who are close to everyone lose a little (hub correction). "
    "You both see the same number. It orders this list."
)


def neighbour_card(neighbour: Neighbour, mine: Profile) -> None:
    """One match: who, how near, what you share and what they could show you."""
    listener = neighbour.listener
    with st.container(gap="xsmall"):
        heading_line(f"{neighbour.rank}. {escape(listener.name)}", listener)
        st.markdown(
            f"Closer to you than **{percent(neighbour.percentile)}** of random pairs "
            f":gray[· similarity {decimal(neighbour.similarity)}]",
            help=SIMILARITY,
        )
        if neighbour.shared:
            count = sum(artist_key(name) in mine.artists for name, _ in listener.artists)
            shown = neighbour.shared[:SHARED]
            rest = f" and {count - len(shown)} more" if count > len(shown) else ""
            st.markdown(f":material/join_inner: **You share {count:,}** {names(shown)}{rest}")
        else:
            st.markdown(
                ":material/join_inner: **No artist in common**, yet the same corner of music"
            )
        if neighbour.discover:
            st.markdown(
                f":material/explore: **They could show you** {names(neighbour.discover[:DISCOVER])}"
            )
    with st.container(vertical_alignment="bottom"):
        st.page_link(
            MAP,
            label="See on the map",
            icon=":material/map:",
            query_params={"listener": listener.id},
        )


def person_card(
    listener: Listener,
    *,
    mine: Sequence[str] = (),
    match: Neighbour | None = None,
    key: str = "person",
) -> None:
    """A person of the community; `mine` are the visitor's artists that they share."""
    with st.container(border=True, key=key, gap="xsmall"):
        heading_line(escape(listener.name), listener, level=2)
        if match is not None:
            st.markdown(
                f"Your number {match.rank}: closer to you than "
                f"**{percent(match.percentile)}** of random pairs"
            )
        if listener.genres:
            st.markdown(f":gray[{names(listener.genres, 4)}]")
        if mine:
            st.markdown(f":material/join_inner: **You share** {names(mine, 12)}")
        st.markdown(
            f":material/headphones: **Listens to** {names([n for n, _ in listener.artists], 12)}"
        )


def standing(
    seen: "Portrait", neighbours: Sequence[Neighbour], snapshot: "MemberSnapshot", typical: float
) -> None:
    """Show the size of the list and of the community, and what the ranking rests on.

    `typical` is the similarity of a random pair, for comparison.
    """
    st.header(f"The nearest {len(neighbours)} of {snapshot.total:,}", anchor=False)
    note(f"{company(snapshot)} {evidence(seen)} Random pairs have similarity {decimal(typical)}.")


def together(neighbours: Sequence[Neighbour], mine: Profile) -> None:
    """What several of the neighbours hear and the visitor doesn't."""
    heard: Counter[str] = Counter()
    written: dict[str, str] = {}
    for each in neighbours:
        for name, _ in each.listener.artists:
            key = artist_key(name)
            if key not in mine.artists:
                heard[key] += 1
                written.setdefault(key, name)
    common = [(key, count) for key, count in heard.most_common(AGREED) if count > 1]
    if common:
        told = [f"{escape(written[key])} :gray[({count})]" for key, count in common]
        first, count = common[0]
        told[0] = f"{escape(written[first])} :gray[({count} of {len(neighbours)} hear it)]"
        st.markdown(f":material/lightbulb: **They agree on** {', '.join(told)}")


def download(neighbours: Sequence[Neighbour]) -> None:
    st.download_button(
        "Download CSV",
        neighbours_csv(neighbours),
        file_name="neighbours.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="download",
    )


def neighbours_csv(neighbours: Sequence[Neighbour]) -> str:
    """The neighbours as CSV, with a header; a cell that a spreadsheet would run is quoted."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(
        ["rank", "id", "name", "origin", "similarity", "percentile", "shared", "discover"]
    )
    for each in neighbours:
        table.writerow(
            [
                each.rank,
                each.listener.id,
                cell(each.listener.name),
                each.listener.origin,
                f"{each.similarity:.4f}",
                f"{each.percentile:.2f}",
                cell("; ".join(each.shared)),
                cell("; ".join(each.discover)),
            ]
        )
    return out.getvalue()
