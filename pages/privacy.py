"""Privacy: what is read, stored and sent, for how long, and how to delete it."""

import streamlit as st

from twotower.ui import privacy

st.title("Privacy", anchor=False)
privacy.show_summary()
privacy.show_sources()
privacy.show_members()
privacy.show_browser_storage()
privacy.show_server()
privacy.show_deletion()
