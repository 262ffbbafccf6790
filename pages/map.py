"""Everyone's place, yours, and the people around it."""

import streamlit as st

from twotower.ui import atlas

st.title("The map of listeners", anchor=False)
atlas.explorer()
