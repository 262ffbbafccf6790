"""The map page: the community as points, and one person beside it."""

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from twotower import charts
from twotower.domain import Listener, Neighbour, artist_key
from twotower.errors import EmptyProfile
from twotower.ui import components, session
from twotower.ui.components import escape

if TYPE_CHECKING:
    from twotower.matching import Portrait

LINES = 10  # neighbours joined to you
HEIGHT = 620  # pixels


@st.fragment
def explorer() -> None:
    """The map, and beside it the person that was clicked, chosen or linked to."""
    matcher = session.matcher()
    crowd = matcher.crowd()
    try:
        seen = session.portrait()
    except EmptyProfile as error:
        components.too_little(error)
        seen = None
    near = () if seen is None else matcher.neighbours(seen, LINES)
    linked = st.query_params.get("listener", "")
    st.caption(
        f"{len(crowd.ids):,} people; the nearer two points, the more alike their listening. "
        "Click a point to meet the person. "
        + ("" if seen else "Bring some music on the page Start to find yourself here.")
    )
    chart, beside = st.columns([7, 4], gap="medium")
    with chart:
        event = st.plotly_chart(
            _figure(seen, near, linked),
            key="map",
            height=HEIGHT,
            on_select="rerun",
            selection_mode="points",
            config={"scrollZoom": True, "displaylogo": False, "displayModeBar": False},
            alt=_told(len(crowd.ids), near),
        )
    with beside:
        _beside(near, _clicked(event, crowd.ids) or linked, seen)


def _figure(seen: "Portrait | None", near: tuple[Neighbour, ...], linked: str) -> Any:
    """The same bytes for the same visitor, so that a click leaves the selection alone."""
    matcher = session.matcher()
    crowd = matcher.crowd()
    spots = [
        charts.Spot(row, *map(float, crowd.places[row]), each.listener.name)
        for each in near
        if (row := crowd.row_of(each.listener.id)) is not None
        and np.isfinite(crowd.places[row]).all()
    ]
    focus = None
    row = crowd.row_of(linked)
    if row is not None and np.isfinite(crowd.places[row]).all():
        focus = charts.Spot(row, *map(float, crowd.places[row]), crowd.names[row])
    return charts.taste_map(
        crowd.places,
        matcher.areas(),
        you=matcher.place(seen) if seen else None,
        neighbours=spots,
        focus=focus,
    )


def _told(size: int, near: tuple[Neighbour, ...]) -> str:
    told = f"Scatter map of {size:,} listeners"
    if near:
        told += ", with you and lines to " + ", ".join(each.listener.name for each in near)
    return told


def _clicked(event: Any, ids: tuple[str, ...]) -> str:
    """The id of the person whose point is selected, or nothing."""
    for point in event.selection.points:
        row = point.get("customdata")
        row = row[0] if isinstance(row, list) else row
        if row is not None and 0 <= int(row) < len(ids):
            return ids[int(row)]
    return ""


def _beside(near: tuple[Neighbour, ...], clicked: str, seen: "Portrait | None") -> None:
    """The person who was clicked, or else chosen in the list of your neighbours."""
    chosen = ""
    if near:
        labels = {each.listener.id: f"{each.rank}. {each.listener.name}" for each in near}
        chosen = (
            st.selectbox(
                "Your nearest people",
                list(labels),
                format_func=lambda id: labels[id],
                index=None,
                placeholder="Choose, or click on the map",
                key="near",
            )
            or ""
        )
    person = session.person(clicked or chosen)
    if person is None:
        st.markdown(":material/ads_click: Nobody chosen yet. Click a point, or choose above.")
        return
    components.person_card(person, mine=_shared(person, seen))


def _shared(person: Listener, seen: "Portrait | None") -> list[str]:
    if seen is None:
        return []
    mine = seen.profile.artists
    return [name for name, _ in person.artists if artist_key(name) in mine]
