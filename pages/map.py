"""Everyone's place, yours, and the people around it."""

import streamlit as st

from twotower.ui import atlas, live

st.title("The map of listeners", anchor=False)
live.keep_map()
atlas.explorer()
