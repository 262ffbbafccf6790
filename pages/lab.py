"""Lab: how good the model is beside simple methods, and how it was trained."""

import streamlit as st

from twotower.ui.lab import (
    checks,
    cold,
    groups,
    origin,
    page,
    people,
    quick,
    training,
    variants,
)

st.title("How good is it, really?", anchor=False)
report = page.require_report()
page.opening(report)
checks.headline(report)
quick.check_now(report)
checks.each_check(report)
cold.cold_start(report)
groups.groups(report)
people.friends(report)
people.hubs(report)
variants.ablation()
variants.learning_curve()
training.course()
origin.origin(report)
origin.again(report)
people.of_you()
