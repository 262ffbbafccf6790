"""What is read, kept and shown of a visitor, for how long, and how to be rid of it."""

import streamlit as st

from twotower.ui import privacy

st.title("Privacy", anchor=False)
privacy.in_short()
privacy.each_door()
privacy.of_who_joins()
privacy.in_the_browser()
privacy.of_the_server()
privacy.be_rid_of_it()
