"""How good the model is beside plain methods, and what it comes from."""

import streamlit as st

from twotower.ui import (
    lab,
    lab_checks,
    lab_cold,
    lab_groups,
    lab_origin,
    lab_people,
    lab_quick,
    lab_training,
    lab_variants,
)

st.title("How good is it, really?", anchor=False)
report = lab.require_report()
lab.opening(report)
lab_checks.headline(report)
lab_quick.check_now(report)
lab_checks.each_check(report)
lab_cold.cold_start(report)
lab_groups.groups(report)
lab_people.friends(report)
lab_people.hubs(report)
lab_variants.ablation()
lab_variants.learning_curve()
lab_training.course()
lab_origin.origin(report)
lab_origin.again(report)
lab_people.of_you()
