"""Lab: how good the model is beside simple methods, and how it was trained."""

import streamlit as st

from twotower.ui.lab import experiments, known_music, origin, reports, results, verification

st.title("How good is it, really?", anchor=False)
report = reports.require_quality()
results.show_answer(report)
known_music.show_known_music(report)
results.show_best_baselines(report)
verification.show_verification(report)
results.show_task(report)
results.show_few_artists(report)
experiments.show_side_features(report)
results.show_friends(report)
results.show_hubs(report)
experiments.show_variants()
experiments.show_learning_curve()
experiments.show_training()
origin.show_origin(report)
origin.show_reproduction(report)
results.show_own_coverage()
