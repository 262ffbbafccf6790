"""The people whose taste is nearest to yours."""

import streamlit as st

from twotower.ui import (
    auto_refresh,
    components,
    neighbours,
    session,
    spotify_playlist,
    takehome,
)

st.title("Your neighbours", anchor=False)
seen = session.require_portrait()
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    count = st.slider(
        "How many", 5, 50, 10, step=5, key="count", width=420, persist_state="session"
    )
    found = session.neighbours(count)
    neighbours.download(found)
matcher = session.matcher()
neighbours.standing(seen, found, matcher.snapshot(), matcher.typical_similarity())
neighbours.together(found, seen.profile)
takehome.offer(found, seen.profile)
spotify_playlist.saver(found, seen.profile)
grid = st.grid(2, min_column_width=320, gap="small")
for neighbour in found:
    card = grid.container(
        border=True,
        height="stretch",
        vertical_alignment="distribute",
        key=f"neighbour-{neighbour.rank}",
    )
    with card:
        neighbours.neighbour_card(neighbour, seen.profile)
st.page_link(components.COMMUNITY, label="Be found by others, too", icon=":material/group_add:")
auto_refresh.keep_list(found, count)
