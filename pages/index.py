"""Frame of every page: title, navigation, width."""

from pathlib import Path

import streamlit as st

from twotower.core.errors import TwoTowerError
from twotower.ui import components, spotify_session, visitor

HERE = Path(__file__).resolve().parent
ASSETS = HERE.parent / "assets"

st.set_page_config(
    page_icon=ASSETS / "favicon.svg", layout="wide"
)  # before the navigation sets icons
st.logo(ASSETS / "logo.svg", size="large")
page = st.navigation(
    [
        st.Page(HERE / "start.py", title="Start", icon=":material/home:", default=True),
        st.Page(HERE / "you.py", title="You", icon=":material/person:", url_path="you"),
        st.Page(HERE / "neighbours.py", title="Neighbours", icon=":material/group:"),
        st.Page(HERE / "map.py", title="Map", icon=":material/scatter_plot:"),
        st.Page(HERE / "community.py", title="Community", icon=":material/group_add:"),
        st.Page(HERE / "lab.py", title="Lab", icon=":material/science:"),
        st.Page(HERE / "privacy.py", title="Privacy", icon=":material/shield_person:"),
    ],
    position="top",
)
st.set_page_config(page_title=f"{page.title} · Musical Neighbours")
components.add_styles()
visitor.restore()
spotify_session.synchronise()
with st.container(horizontal_alignment="center"), st.container(width=1160):
    try:
        with st.container(key="notice"):  # it comes and goes, and nothing below may move for it
            spotify_session.show_notice()
        page.run()
    except TwoTowerError as error:
        components.show_failure(error)
