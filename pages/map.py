"""Everyone's place, yours, and the people around it."""

import streamlit as st

from twotower.ui import auto_refresh, map

st.title("The map of listeners", anchor=False)
auto_refresh.keep_map()
map.explorer()
