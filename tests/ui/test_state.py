"""The state of a visitor, and how it is forgotten."""

from dataclasses import fields, replace

import pytest
from world import profile_of

from twotower.core.jobs import Job
from twotower.ui.state import (
    AudioLookupState,
    MapState,
    Member,
    MembershipState,
    NeighbourList,
    QuickCheckState,
    RefreshState,
    ServiceState,
    SpotifyState,
    Step,
    UploadState,
    VisitorState,
)

MINE = profile_of("Low", "Codeine")
SIGNED_IN = replace(MINE, id="spotify")


@pytest.fixture
def job():
    """A job that waits until it is cancelled."""
    job = Job(lambda job: job.pause(60, "waiting"))
    yield job
    job.cancel()


def full(job: Job) -> VisitorState:
    """Return a state in which every field differs from a new one."""
    portrait = object()
    return VisitorState(
        profile=MINE,
        limit_id="a1",
        is_restored=True,
        steps=[Step("Added Low", SIGNED_IN), Step("Started over", None)],
        portrait=portrait,
        portrait_version="1",
        neighbours=NeighbourList(portrait, 1, None, 10, ()),
        upload=UploadState(job=job, field_number=3),
        services={"lastfm": ServiceState(job=job)},
        fetched={("lastfm", "me", "all"): (0.0, object())},
        audio_lookup=AudioLookupState(job=job),
        spotify=SpotifyState("label", problem="none", parked=object(), ticket="t"),
        membership=MembershipState(Member("id", "MN-CODE")),
        map=MapState(person="p1", portrait=portrait),
        refresh=RefreshState(neighbours=(object(),)),
        quick_check=QuickCheckState(report=object()),
    )


def test_clearing_resets_every_field_but_the_membership_and_the_sign_in(job):
    state, new = full(job), VisitorState()
    unchanged = [f.name for f in fields(state) if getattr(state, f.name) == getattr(new, f.name)]
    assert unchanged == [], "the test fills every field, also new ones"
    membership, quick_check = state.membership, state.quick_check
    state.clear()
    assert state == VisitorState(
        limit_id="a1",
        is_restored=True,
        upload=UploadState(field_number=4),
        spotify=SpotifyState("label"),
        membership=membership,
        quick_check=quick_check,
    )
    assert job.is_cancelled


def test_forgetting_drops_the_profiles_that_match_and_all_derived_from_them(job):
    state = full(job)
    assert state.forget(lambda profile: profile.id == "spotify")
    assert state.profile is MINE
    assert [step.message for step in state.steps] == ["Started over"]
    assert (state.portrait, state.neighbours, state.spotify.parked) == (None, None, None)
    assert (state.map, state.refresh) == (MapState(), RefreshState())
    assert not state.forget(lambda profile: profile.id == "spotify")


def test_forgetting_the_current_profile_leaves_none():
    state = VisitorState(profile=SIGNED_IN, steps=[Step("Read", None)])
    assert state.forget(lambda profile: profile.id == "spotify")
    assert state.profile is None and len(state.steps) == 1
