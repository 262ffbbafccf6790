"""Audio look-ups over HTTP: batches, ranges, failures, and tracks that are never sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webservice import Clock, Reply, Request, service

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
    """Answer as the service does: unknown ids are absent."""

    def answer(request: Request) -> Reply:
        assert request.path == "/v1/audio-features"
        ids = request.fields["ids"].split(",")[:40]
        rows = [
            {"id": "uuid", "href": f"https://open.spotify.com/track/{id}", **values[id]}
            for id in ids
            if id in values
        ]
        return Reply({"content": rows})

    return answer


def acousticbrainz(values: dict[str, tuple[float, float]]):
    """Answer as AcousticBrainz does, from id -> (bpm, probability that it is danceable)."""

    def answer(request: Request) -> Reply:
        ids = [id for id in request.fields["recording_ids"].split(";")[:25] if id in values]
        if request.path.endswith("low-level"):
            return Reply({id: {"0": {"rhythm": {"bpm": values[id][0]}}} for id in ids})
        model = "danceability"
        return Reply(
            {id: {"0": {"highlevel": {model: {"all": {"danceable": values[id][1]}}}}} for id in ids}
        )

    return answer


def test_values_are_weighted_by_plays_and_out_of_range_ones_are_left_out():
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


def test_acousticbrainz_has_tempo_and_classifier_probabilities():
    values = {track(1).mbid: (120.5, 0.9), track(2).mbid: (80.5, 0.1)}
    with service(acousticbrainz(values)) as place:
        sound = ask(place.address, ACOUSTIC, [track(1), track(2), track(3)])
    assert sound.known == 2
    assert {name: spread.mean for name, spread in sound.audio.items()} == pytest.approx(
        {"tempo": 100.5, "danceability": 0.5}
    )


@pytest.mark.parametrize(("lookup", "each"), [(RECCO, 1), (ACOUSTIC, 2)], ids=AUDIO_SERVICES)
def test_tracks_are_sent_in_batches_with_pauses_and_progress(lookup: AudioService, each: int):
    clock, told = Clock(), []
    tracks = [track(n) for n in range(90)]
    with service(lambda request: Reply({"content": []})) as place:
        sound = ask(
            place.address,
            lookup,
            tracks,
            clock=clock,
            progress=lambda share, what: told.append((share, what)),
        )
    assert sound == AudioResult({}, 90, 0)
    batches = -(-90 // lookup.batch)
    assert len(place.requests) == batches * each
    field = "ids" if lookup is RECCO else "recording_ids"
    sizes = [len(a.fields[field].replace(";", ",").split(",")) for a in place.requests]
    assert max(sizes) == lookup.batch
    assert clock.at - 1000 == pytest.approx(lookup.between_s * (len(place.requests) - 1))
    assert [share for share, _ in told] == [lookup.batch * n / 90 for n in range(batches)]
    assert lookup.name in told[0][1]


def test_the_most_played_tracks_with_an_id_are_looked_up():
    tracks = tuple(track(n, n) for n in range(1, MOST_TRACKS + 50))
    profile = Profile("me", tracks=(Track("No id", "Low", 1e6), *tracks))
    chosen = tracks_to_look_up(profile, RECCO)
    assert len(chosen) == MOST_TRACKS
    assert [one.plays for one in chosen[:2]] == [MOST_TRACKS + 49, MOST_TRACKS + 48]


def test_tracks_from_spotifys_web_api_are_never_sent():
    for origin in (SPOTIFY_WEB_API, f"file+{SPOTIFY_WEB_API}"):
        assert tracks_to_look_up(Profile("me", tracks=(track(1),), origin=origin), RECCO) == ()


@pytest.mark.parametrize("lookup", [RECCO, ACOUSTIC], ids=AUDIO_SERVICES)
def test_failures_are_errors_with_the_name_of_the_service(lookup: AudioService):
    with (
        service(lambda request: Reply(None, 429, {"Retry-After": "600"})) as place,
        pytest.raises(RateLimited, match="in 10 minutes"),
    ):
        ask(place.address, lookup, [track(1)])
    for said in (Reply({"error": "x"}, 400), Reply(b"<html>"), Reply(None, 502)):
        with (
            service(lambda request, said=said: said) as place,
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
def test_any_answer_leads_to_values_in_range_or_one_of_our_errors(lookup: AudioService, body):
    with service(lambda request: Reply({"content": [body], track(1).mbid or "": body})) as place:
        try:
            sound = ask(place.address, lookup, [track(1)])
        except TwoTowerError:
            return
    for name, spread in sound.audio.items():
        low, high = AUDIO_RANGE[name]
        assert low <= spread.mean <= high
