"""Being found by others: join, see and change what is stored, leave."""

import streamlit as st

from twotower.ui import community

st.title("Community", anchor=False)
community.company()
community.said()
community.left()
if not community.membership():
    form, code = st.columns([3, 2], gap="large")
    with form:
        community.form()
    with code:
        community.code_entry()
