"""Map: everyone in the community, the visitor, and the people around."""

import streamlit as st

from twotower.ui import auto_refresh, map

st.title("The map of listeners", anchor=False)
auto_refresh.rerun_when_map_changes()
map.show_map()
