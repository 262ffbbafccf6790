"""How good the model is beside plain methods, and what it comes from."""

import streamlit as st

from twotower.ui import lab

st.title("How good is it, really?", anchor=False)
report = lab.require_report()
lab.opening(report)
lab.headline(report)
lab.each_check(report)
lab.cold_start(report)
lab.friends(report)
lab.hubs(report)
lab.origin(report)
lab.again(report)
lab.of_you()
