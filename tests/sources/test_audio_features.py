"""Looking up how tracks sound, over HTTP: batches, ranges, failures, and what is never asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webservice import Asked, Clock, Said, service

from twotower.core.domain import AUDIO, AUDIO_RANGE, SPOTIFY_WEB_API, Profile, Track
from twotower.core.errors import RateLimited, TwoTowerError, Unreachable
from twotower.sources.services.audio_features import (
    AUDIO_SERVICES,
    MOST_TRACKS,
    AudioResult,
    AudioService,
    look_up_audio,
    tracks_to_look_up,
)
from twotower.sources.services.http import Pace, WebClient

RECCO, ACOUSTIC = AUDIO_SERVICES["reccobeats"], AUDIO_SERVICES["acousticbrainz"]


def track(number: int, plays: float = 1.0) -> Track:
    return Track(
        f"T{number}",
        "Low",
        plays,
        spotify=f"{number:022d}",
        mbid=f"00000000-0000-0000-0000-{number:012d}",
    )


def ask(address: str, lookup: AudioService, tracks: list[Track], **more: Any) -> AudioResult:
    clock = more.pop("clock", Clock())
    pace = Pace(lookup.between_s, now=clock.now, sleep=clock.sleep)
    return look_up_audio(tracks, lookup, WebClient(lookup.name, address, pace=pace), **more)


def reccobeats(values: dict[str, dict[str, Any]]):
    """The service as it answers: ids that it doesn't know are absent."""

    def answer(asked: Asked) -> Said:
        assert asked.path == "/v1/audio-features"
        ids = asked.fields["ids"].split(",")[:40]
        rows = [
            {"id": "uuid", "href": f"https://open.spotify.com/track/{id}", **values[id]}
            for id in ids
            if id in values
        ]
        return Said({"content": rows})

    return answer


def acousticbrainz(values: dict[str, tuple[float, float]]):
    """id -> (bpm, how sure it can be danced to)."""

    def answer(asked: Asked) -> Said:
        ids = [id for id in asked.fields["recording_ids"].split(";")[:25] if id in values]
        if asked.path.endswith("low-level"):
            return Said({id: {"0": {"rhythm": {"bpm": values[id][0]}}} for id in ids})
        model = "danceability"
        return Said(
            {id: {"0": {"highlevel": {model: {"all": {"danceable": values[id][1]}}}}} for id in ids}
        )

    return answer


def test_values_are_weighted_by_plays_and_those_out_of_range_left_out():
    values = {
        track(1).spotify: {"energy": 0.2, "tempo": 100, "loudness": -10, "valence": 7},
        track(2).spotify: {"energy": 0.6, "tempo": 0, "loudness": -20, "key": 3},
    }
    with service(reccobeats(values)) as place:
        sound = ask(place.address, RECCO, [track(1, 3), track(2, 1), track(3, 9)])
    assert (sound.looked_up, sound.known) == (3, 2)
    assert {name: spread.mean for name, spread in sound.audio.items()} == pytest.approx(
        {"energy": 0.3, "tempo": 100.0, "loudness": -12.5}
    )
    assert sound.audio["energy"].std == pytest.approx(0.03**0.5)


def test_acousticbrainz_tells_tempo_and_what_its_classifiers_believe():
    values = {track(1).mbid: (120.5, 0.9), track(2).mbid: (80.5, 0.1)}
    with service(acousticbrainz(values)) as place:
        sound = ask(place.address, ACOUSTIC, [track(1), track(2), track(3)])
    assert sound.known == 2
    assert {name: spread.mean for name, spread in sound.audio.items()} == pytest.approx(
        {"tempo": 100.5, "danceability": 0.5}
    )


@pytest.mark.parametrize(("lookup", "each"), [(RECCO, 1), (ACOUSTIC, 2)], ids=AUDIO_SERVICES)
def test_tracks_go_in_batches_at_a_pace_and_progress_is_told(lookup: AudioService, each: int):
    clock, told = Clock(), []
    tracks = [track(n) for n in range(90)]
    with service(lambda asked: Said({"content": []})) as place:
        sound = ask(
            place.address,
            lookup,
            tracks,
            clock=clock,
            progress=lambda share, what: told.append((share, what)),
        )
    assert sound == AudioResult({}, 90, 0)
    batches = -(-90 // lookup.batch)
    assert len(place.asked) == batches * each
    field = "ids" if lookup is RECCO else "recording_ids"
    sizes = [len(a.fields[field].replace(";", ",").split(",")) for a in place.asked]
    assert max(sizes) == lookup.batch
    assert clock.at - 1000 == pytest.approx(lookup.between_s * (len(place.asked) - 1))
    assert [share for share, _ in told] == [lookup.batch * n / 90 for n in range(batches)]
    assert lookup.name in told[0][1]


def test_the_most_played_tracks_with_an_id_are_asked_for():
    tracks = tuple(track(n, n) for n in range(1, MOST_TRACKS + 50))
    profile = Profile("me", tracks=(Track("No id", "Low", 1e6), *tracks))
    asked = tracks_to_look_up(profile, RECCO)
    assert len(asked) == MOST_TRACKS
    assert [one.plays for one in asked[:2]] == [MOST_TRACKS + 49, MOST_TRACKS + 48]


def test_what_came_through_spotify_s_web_api_is_asked_of_nobody():
    for origin in (SPOTIFY_WEB_API, f"file+{SPOTIFY_WEB_API}"):
        assert tracks_to_look_up(Profile("me", tracks=(track(1),), origin=origin), RECCO) == ()


@pytest.mark.parametrize("lookup", [RECCO, ACOUSTIC], ids=AUDIO_SERVICES)
def test_failures_are_told(lookup: AudioService):
    with (
        service(lambda asked: Said(None, 429, {"Retry-After": "600"})) as place,
        pytest.raises(RateLimited, match="in 10 minutes"),
    ):
        ask(place.address, lookup, [track(1)])
    for said in (Said({"error": "x"}, 400), Said(b"<html>"), Said(None, 502)):
        with (
            service(lambda asked, said=said: said) as place,
            pytest.raises(Unreachable, match=lookup.name),
        ):
            ask(place.address, lookup, [track(1)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "href", "0", "rhythm", *AUDIO]), inner)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("lookup", [RECCO, ACOUSTIC], ids=AUDIO_SERVICES)
@given(body=JSON)
def test_any_answer_gives_values_in_their_range_or_one_of_our_errors(lookup: AudioService, body):
    with service(lambda asked: Said({"content": [body], track(1).mbid or "": body})) as place:
        try:
            sound = ask(place.address, lookup, [track(1)])
        except TwoTowerError:
            return
    for name, spread in sound.audio.items():
        low, high = AUDIO_RANGE[name]
        assert low <= spread.mean <= high
