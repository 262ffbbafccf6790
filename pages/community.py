"""Community: join, see and change what is stored, leave."""

import streamlit as st

from twotower.ui import community

st.title("Community", anchor=False)
community.show_member_counts()
community.show_result()
community.show_receipt()
community.show_membership_or_form()
