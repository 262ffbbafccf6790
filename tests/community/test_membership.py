"""Joining, updating and leaving, on a planted world and a real database."""

import json
import re
import threading
from dataclasses import replace

import numpy as np
import pytest
from changes import ME, OTHER, opened

from twotower.community.access_codes import ALPHABET, GROUP_LENGTH, GROUPS, hash_code, new_code
from twotower.community.membership import MIN_VISIBLE, SHARES, Joined, JoinRequest
from twotower.community.queries import last_change, profiles_without_vectors, training_profiles
from twotower.core.domain import SPOTIFY_WEB_API, Artist, Playlist, Track
from twotower.core.errors import BadName, EmptyProfile, MayNotJoin, UnknownCode
from twotower.core.names import artist_key
from twotower.matching.matcher import Matcher
from twotower.model.portrait import Portrait


@pytest.fixture
def matcher(planted_assets, tmp_path) -> Matcher:
    return opened(planted_assets, tmp_path)


@pytest.fixture
def portrait(matcher) -> Portrait:
    return matcher.portrait(ME)


def keys(matcher: Matcher, portrait: Portrait, count: int = 10) -> tuple[str, ...]:
    return tuple(artist_key(a.name) for a in matcher.membership.showable_artists(portrait)[:count])


@pytest.fixture
def join_request(matcher, portrait) -> JoinRequest:
    return JoinRequest("Amber Cadence", keys(matcher, portrait), findable=True)


@pytest.fixture
def joined(matcher, portrait, join_request) -> Joined:
    return matcher.membership.join(portrait, join_request)


def stored(matcher: Matcher, joined: Joined) -> dict:
    return json.loads(json.dumps(matcher.membership.export(joined.code), default=str))


def test_a_join_request_agrees_to_nothing_by_default():
    assert (
        not JoinRequest("x").findable
        and not JoinRequest("x").training
        and JoinRequest("x").visible_artists == ()
    )


def test_others_see_exactly_what_the_preview_showed(matcher, portrait, join_request):
    before = matcher.membership.preview(portrait, join_request)
    assert before.id == ""
    made = matcher.membership.join(portrait, join_request)
    assert matcher.person(made.id) == made.listener
    seen = replace(made.listener, id="", place=None)
    assert seen == replace(before, place=None)
    assert made.listener.place == pytest.approx(before.place)
    assert {artist_key(name) for name, _ in before.artists} == set(join_request.visible_artists)


def test_a_member_is_found_by_a_similar_listener_and_not_by_themselves(matcher, portrait, joined):
    near = replace(ME, id="somebody")
    found = matcher.neighbours(matcher.portrait(near), 3)
    assert found[0].listener.id == joined.id
    mine = matcher.neighbours(portrait, 50, own=joined.id)
    assert joined.id not in {each.listener.id for each in mine} and len(mine) == 50


def test_plays_are_stored_as_shares_only(matcher, join_request):
    loud = replace(ME, artists={k: replace(a, plays=a.plays * 37) for k, a in ME.artists.items()})
    listeners = [
        matcher.membership.preview(matcher.portrait(who), join_request) for who in (ME, loud)
    ]
    assert listeners[0] == listeners[1]
    plays = [plays for _, plays in listeners[0].artists]
    assert plays == sorted(plays, reverse=True) and min(plays) >= 1
    assert sum(plays) == pytest.approx(SHARES, abs=len(plays))


def test_a_hidden_artist_leaves_no_trace(matcher, portrait, join_request):
    less = replace(
        ME,
        artists={k: a for k, a in ME.artists.items() if k in join_request.visible_artists},
        genres={},
        audio={},
    )
    made = [matcher.membership.join(p, replace(join_request, name=name)) for p, name in
            ((portrait, "Amber Cadence"), (matcher.portrait(less), "Cobalt Waltz"))]  # fmt: skip
    snapshot = matcher.snapshot()
    one, two = (snapshot.row_of(each.id) for each in made)
    assert np.array_equal(snapshot.user[one], snapshot.user[two])
    assert np.array_equal(snapshot.candidate[one], snapshot.candidate[two])
    hidden = {a.name for k, a in ME.artists.items() if k not in join_request.visible_artists}
    text = json.dumps(stored(matcher, made[0]))
    assert hidden and not [name for name in hidden if f'"{name}"' in text]


def test_a_name_that_only_a_file_has_is_never_shown(matcher, join_request):
    odd = replace(ME, artists={**ME.artists, "call me": Artist("Call Me 555", 900.0)})
    key = next(iter(ME.artists))
    odd = replace(odd, artists={**odd.artists, key: Artist(key.upper(), 5.0)})
    shown = matcher.membership.preview(
        matcher.portrait(odd),
        replace(join_request, visible_artists=(*join_request.visible_artists, "call me", key)),
    )
    names = {name for name, _ in shown.artists}
    assert "Call Me 555" not in names and key.upper() not in names and key in names


def test_without_consent_to_training_no_whole_profile_is_stored(matcher, joined):
    assert stored(matcher, joined)["profile"] is None
    assert not matcher.membership.find(joined.code).has_profile


def test_with_consent_to_training_only_its_inputs_are_stored(matcher, join_request):
    private = replace(
        ME,
        name="rj",
        tracks=(Track("Secret song", "artist 1"),),
        playlists=(Playlist("For Anna", (("Secret song", "artist 1"),)),),
    )
    made = matcher.membership.join(matcher.portrait(private), replace(join_request, training=True))
    owned, text = matcher.membership.find(made.code), json.dumps(stored(matcher, made))
    assert owned.training and owned.has_profile
    assert all(artist.name in text for artist in ME.artists.values())
    assert not [word for word in ("Secret song", "For Anna", '"rj"') if word in text]


def test_a_member_for_training_only_is_not_found_and_has_no_name(matcher, portrait, join_request):
    made = matcher.membership.join(portrait, replace(join_request, findable=False, training=True))
    assert made.listener.name == "" and made.listener.artists == ()
    assert matcher.snapshot().row_of(made.id) is None and matcher.person(made.id) is None
    assert matcher.membership.find(made.code).training


def test_without_any_consent_joining_is_refused(matcher, portrait, join_request):
    before = last_change(matcher.community)
    with pytest.raises(MayNotJoin, match="said no to both"):
        matcher.membership.join(portrait, replace(join_request, findable=False))
    assert last_change(matcher.community) == before


@pytest.mark.parametrize(
    ("origin", "said"),
    [(SPOTIFY_WEB_API, "ask Spotify for your own"), (f"file+{SPOTIFY_WEB_API}", "may not be"),
     ("demo", "made-up listener can't join"), ("invented", "made-up listener can't join")],
)  # fmt: skip
def test_made_up_and_forbidden_profiles_cannot_join(matcher, join_request, origin, said):
    before = last_change(matcher.community)
    portrait = matcher.portrait(replace(ME, origin=origin))
    for act in (matcher.membership.preview, matcher.membership.join):
        with pytest.raises(MayNotJoin, match=said):
            act(portrait, join_request)
    assert last_change(matcher.community) == before


def test_too_few_visible_artists_are_refused(matcher, portrait, join_request):
    with pytest.raises(MayNotJoin, match=f"choose at least {MIN_VISIBLE}"):
        matcher.membership.join(
            portrait,
            replace(join_request, visible_artists=join_request.visible_artists[:2]),
        )


def test_a_taken_name_is_refused_and_ones_own_is_not(matcher, portrait, join_request, joined):
    with pytest.raises(BadName):
        matcher.membership.join(portrait, replace(join_request, name="AMBER CADENCE"))
    with pytest.raises(BadName):
        matcher.membership.check_name(matcher.person(matcher.snapshot().ids[0]).name)
    assert (
        matcher.membership.update(joined.code, portrait, join_request).listener.name
        == join_request.name
    )


def test_of_four_who_choose_one_name_at_once_one_joins(matcher, portrait, join_request):
    outcomes, ready = [], threading.Barrier(4)

    def act() -> None:
        ready.wait(20)
        try:
            outcomes.append(matcher.membership.join(portrait, join_request))
        except BadName as error:
            outcomes.append(error)

    threads = [threading.Thread(target=act) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert sorted(type(each).__name__ for each in outcomes) == ["BadName"] * 3 + ["Joined"]


def test_a_suggested_name_is_not_taken(matcher, portrait, join_request):
    first = matcher.membership.suggest_name(5)
    matcher.membership.join(portrait, replace(join_request, name=first))
    assert matcher.membership.suggest_name(5) != first


def test_a_code_has_more_than_110_bits_and_no_characters_that_look_alike():
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200 and not set("01ILOU") & set(ALPHABET)
    assert len(ALPHABET) ** (GROUPS * GROUP_LENGTH) > 2**110
    assert all(re.fullmatch(r"MN(-[2-9A-Z]{5}){5}", code) for code in codes)


def test_case_spaces_and_dashes_of_a_code_do_not_matter(matcher, joined):
    code = joined.code
    for typed in (code.lower(), code.replace("-", ""), f"  {code.replace('-', ' ')}\n", code[3:]):
        assert matcher.membership.find(typed).id == joined.id
    assert hash_code("MN-" + "MN234-" * 5) != hash_code("MN234-" * 4 + "34MN2")


def test_the_code_is_stored_nowhere(matcher, joined, tmp_path):
    plain = joined.code.replace("-", "").removeprefix("MN")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert joined.code.encode() not in content and plain.encode() not in content


@pytest.mark.parametrize("code", ["", "MN-", "x" * 10_000, "MN-" + "AAAAA-" * 5, "' OR 1=1 --"])
def test_unknown_and_malformed_codes_get_the_same_answer(
    matcher, joined, portrait, join_request, code
):
    assert matcher.membership.find(code) is None
    said = set()
    for act in (
        lambda: matcher.membership.export(code),
        lambda: matcher.membership.update(code, portrait, join_request),
        lambda: matcher.membership.leave(code),
    ):
        with pytest.raises(UnknownCode) as error:
            act()
        said.add(str(error.value))
    assert len(said) == 1


def test_an_update_changes_vectors_and_artists_together(matcher, portrait, join_request, joined):
    other = matcher.portrait(OTHER)
    new = replace(join_request, visible_artists=keys(matcher, other), name="Cobalt Waltz")
    before = matcher.snapshot()
    owned = matcher.membership.update(joined.code, other, new)
    after, row = matcher.snapshot(), before.row_of(joined.id)
    now = after.row_of(joined.id)
    assert owned.id == joined.id and owned.listener == matcher.person(joined.id)
    assert not np.allclose(before.user[row], after.user[now])
    assert not np.allclose(before.candidate[row], after.candidate[now])
    assert owned.listener.name == "Cobalt Waltz"
    assert matcher.membership.find(joined.code).created == owned.created


def test_choices_can_be_changed_without_music(matcher, portrait, join_request):
    made = matcher.membership.join(portrait, replace(join_request, training=True))
    fewer = replace(
        join_request,
        visible_artists=join_request.visible_artists[:5],
        name="Cobalt Waltz",
        training=True,
    )
    owned = matcher.membership.update(made.code, None, fewer)
    assert len(owned.listener.artists) == 5 and owned.has_profile
    owned = matcher.membership.update(made.code, None, replace(fewer, training=False))
    assert not owned.has_profile and stored(matcher, made)["profile"] is None
    with pytest.raises(MayNotJoin, match="bring your music first"):
        matcher.membership.update(made.code, None, fewer)
    with pytest.raises(MayNotJoin, match="leave instead"):
        matcher.membership.update(made.code, None, replace(fewer, findable=False, training=False))


def test_leaving_removes_a_member_and_returns_a_receipt(matcher, portrait, joined):
    receipt = matcher.membership.leave(joined.code)
    assert receipt.id == joined.id and receipt.digest and receipt.removed
    assert matcher.person(joined.id) is None and matcher.snapshot().row_of(joined.id) is None
    assert matcher.membership.find(joined.code) is None
    found = matcher.neighbours(portrait, 50)
    assert joined.id not in {each.listener.id for each in found}
    with pytest.raises(UnknownCode):
        matcher.membership.leave(joined.code)


def test_another_process_sees_joins_and_departures(
    planted_assets, tmp_path, portrait, join_request
):
    here, there = (opened(planted_assets, tmp_path) for _ in range(2))
    seen = there.community.revision()
    made = here.membership.join(portrait, join_request)
    assert there.community.revision() != seen
    assert there.neighbours(portrait, 1)[0].listener.id == made.id
    here.membership.leave(made.code)
    assert made.id not in {each.listener.id for each in there.neighbours(portrait, 50)}


def test_an_unknown_profile_is_an_error(matcher, join_request):
    with pytest.raises(EmptyProfile):
        matcher.portrait(replace(ME, artists={"nobody": Artist("Nobody")}))


def test_another_model_embeds_the_visible_artists_only(matcher, portrait, join_request):
    made = matcher.membership.join(portrait, replace(join_request, training=True))
    hidden = matcher.membership.join(portrait, replace(join_request, findable=False, training=True))
    other = dict(profiles_without_vectors(matcher.community, "another"))
    assert set(other[made.id].artists) == set(join_request.visible_artists)
    assert set(other[hidden.id].artists) == set(ME.artists)
    kept = dict(training_profiles(matcher.community))
    assert set(kept[made.id].artists) == set(ME.artists)
    row = matcher.snapshot().row_of(made.id)
    again = matcher.portrait(other[made.id])
    assert np.allclose(again.user_vector, matcher.snapshot().user[row], atol=1e-6)
