"""Neighbours: the people whose taste is closest to the visitor's."""

import streamlit as st

from twotower.ui import neighbours, spotify_playlist, visitor

st.title("Your neighbours", anchor=False)
portrait = visitor.require_portrait()
closest = neighbours.choose_neighbours()
neighbours.show_ranking_summary(closest, portrait)
with st.container(key="common-artists"):  # may be empty; what follows keeps its place
    neighbours.show_common_artists(closest, portrait.profile)
neighbours.show_discoveries(closest, portrait.profile)
spotify_playlist.show_playlist(closest, portrait.profile)
neighbours.show_cards(closest, portrait.profile)
neighbours.link_to_community()
neighbours.keep_current(closest)
