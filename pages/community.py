"""Being found by others: join, see and change what is stored, leave."""

import streamlit as st

from twotower.ui import joining

st.title("Community", anchor=False)
joining.company()
joining.said()
joining.left()
if not joining.membership():
    form, code = st.columns([3, 2], gap="large")
    with form:
        joining.form()
    with code:
        joining.code_entry()
