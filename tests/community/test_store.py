"""Contract of a community: on SQLite, on PostgreSQL, and on three PostgreSQL servers."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from members import DIM, invented, member, people
from servers import as_url, fresh, postgres

from twotower.community import SCHEMA, Community, Member, ModelVectors, new_id, queries
from twotower.community.queries import (
    active_model,
    count_rows,
    export,
    find_by_code,
    find_deletion,
    is_name_taken,
    last_change,
    previous_model,
    profiles_without_vectors,
    search_names,
    training_profiles,
)
from twotower.community.scale.partitions import create_partitioned
from twotower.core.domain import SPOTIFY_WEB_API, Artist, Profile
from twotower.core.errors import BadName, CommunityError


@pytest.fixture(scope="session")
def three() -> Iterator:
    with postgres(3) as servers:
        yield servers


STORES = ["SQLite", "PostgreSQL"]
# what depends on where rows lie is tested on three servers, too; all of it in make test-all
ALSO_ON_THREE_SERVERS = pytest.mark.parametrize("url", [*STORES, "three servers"], indirect=True)


@pytest.fixture(params=[*STORES, pytest.param("three servers", marks=pytest.mark.all_rounds)])
def url(request, tmp_path: Path) -> str:
    if request.param == "SQLite":
        return f"sqlite:///{tmp_path / 'deep' / 'down' / 'community.sqlite'}"
    if request.param == "PostgreSQL":
        return fresh(request.getfixturevalue("server"))
    servers = request.getfixturevalue("three")
    asked = fresh(servers[0])
    create_partitioned(asked, [fresh(each) for each in servers], community=new_id())
    return asked


def test_a_new_community_is_empty(community: Community):
    snapshot = community.snapshot()
    assert (len(snapshot), snapshot.seq) == (0, 0)
    assert snapshot.places.shape == (0, 2)


def test_a_new_member_is_in_the_snapshot(community: Community):
    someone = member("a")
    seq = community.join(someone)
    snapshot = community.snapshot()
    assert (snapshot.ids, snapshot.seq) == (("a",), seq)
    assert (snapshot.user[0] == someone.user_vector).all()
    assert (snapshot.candidate[0] == someone.candidate_vector).all()
    assert snapshot.places.tolist() == [[0.5, -1.25]]
    assert snapshot.synthetic.tolist() == [False]
    assert (snapshot.row_of("a"), snapshot.row_of("b")) == (0, None)


def test_get_returns_listeners_in_the_given_order(community: Community):
    for id in "abc":
        community.join(member(id))
    assert community.get(["c", "nobody", "a"]) == [member("c").listener, member("a").listener]


def test_get_accepts_more_ids_than_one_statement(community: Community):
    community.seed(invented(1200))
    assert len(community.get([f"made{n}" for n in range(1200)])) == 1200


def test_hostile_text_comes_back_unchanged(community: Community):
    strange = (("<b>\ud800\x00'; drop table listeners", 1.0),)
    someone = member("a")
    community.join(replace(someone, listener=replace(someone.listener, artists=strange)))
    assert community.get(["a"])[0].artists == strange


def test_a_listener_can_have_no_place(community: Community):
    someone = member("a")
    community.join(replace(someone, listener=replace(someone.listener, place=None)))
    assert community.get(["a"])[0].place is None
    assert np.isnan(community.snapshot().places).all()


@ALSO_ON_THREE_SERVERS
def test_another_process_sees_changes_at_once(community, other):
    community.join(member("a"))
    assert other.snapshot().ids == ("a",)
    community.join(member("b"))
    community.update(member("a", seed=99))
    snapshot = other.snapshot()
    assert set(snapshot.ids) == {"a", "b"}
    assert (snapshot.user[snapshot.row_of("a")] == member("a", seed=99).user_vector).all()
    community.leave("a")
    assert other.snapshot().ids == ("b",)
    assert other.get(["a"]) == []


def test_the_snapshot_is_the_same_object_until_something_changes(community, other):
    community.join(member("a"))
    snapshot = other.snapshot()
    assert other.snapshot() is snapshot
    community.leave("nobody")
    assert other.snapshot() is snapshot
    community.join(member("b"))
    assert other.snapshot() is not snapshot
    assert snapshot.ids == ("a",)  # whoever holds the old one keeps it whole


@ALSO_ON_THREE_SERVERS
def test_an_updated_snapshot_equals_a_newly_loaded_one(community, other, url):
    rng = np.random.default_rng(5)
    community.seed(invented(20))
    inside: list[str] = []
    for step in range(120):
        act = rng.integers(4)
        if act <= 1 or not inside:
            inside.append(f"p{step}")
            community.join(member(inside[-1], findable=bool(rng.integers(4))))
        elif act == 2:
            someone = inside[rng.integers(len(inside))]
            community.update(member(someone, seed=step, findable=bool(rng.integers(4))))
        else:
            community.leave(inside.pop(rng.integers(len(inside))))
        if step % 7 == 0:
            other.snapshot()
    fresh = Community.open(url, model_version="1").snapshot()
    assert fresh.ids == other.snapshot().ids
    assert people(fresh) == people(other.snapshot())
    assert len(fresh) > 20


@ALSO_ON_THREE_SERVERS
def test_two_findable_names_never_look_alike(community: Community, other: Community):
    named = replace(member("a"), listener=replace(member("a").listener, name="Amber Otter"))
    community.join(named)
    again = replace(member("b"), listener=replace(member("b").listener, name="AMBER-0TTER"))
    with pytest.raises(BadName, match="looks like it"):
        other.join(again)
    assert count_rows(other, "b") == {"listeners": 0, "vectors": 0}
    other.join(member("b"))
    with pytest.raises(BadName, match="looks like it"):
        other.update(again)
    community.update(replace(named, listener=replace(named.listener, name="amber otter")))
    community.join(replace(again, listener=replace(again.listener, id="c"), findable=False))
    assert is_name_taken(community, "amberotter") and not is_name_taken(
        community, "amberotter", but="a"
    )
    community.leave("a")
    assert not is_name_taken(community, "amberotter")
    other.update(again)


def test_people_are_found_by_part_of_their_name(community: Community):
    for id, name in (("a", "Amber Otter"), ("b", "Brisk Otter"), ("c", "\u00c4mber Lynx")):
        community.join(replace(member(id), listener=replace(member(id).listener, name=name)))
    community.join(member("d", findable=False))
    found = [person.id for person in search_names(community, "amber", 5)]
    assert sorted(found) == ["a", "c"]
    assert len(search_names(community, "otter", 1)) == 1
    assert search_names(community, "", 5) == search_names(community, "dbynight", 5) == []


@ALSO_ON_THREE_SERVERS
def test_nearest_agrees_with_all_cosines(community: Community):
    community.seed(invented(300))
    asked, snapshot = member("q").user_vector, community.snapshot()
    found = community.nearest(asked, 7)
    order = np.argsort(-(snapshot.candidate[:] @ asked), kind="stable")[:7]
    assert found.ids == tuple(snapshot.ids[row] for row in order)
    assert (found.user == snapshot.user[order]).all() and (
        found.places == snapshot.places[order]
    ).all()
    assert found.without(found.ids[2]).ids == found.ids[:2] + found.ids[3:]
    nowhere = replace(member("q"), listener=replace(member("q").listener, place=None))
    community.join(replace(nowhere, candidate_vector=asked))
    assert community.nearest(asked, 1).ids == ("q",)
    assert community.nearest(asked, 1, placed=True).ids == found.ids[:1]


def test_a_member_who_is_not_findable_is_nowhere(community: Community):
    community.join(member("a", findable=False))
    assert (len(community.snapshot()), community.get(["a"])) == (0, [])
    community.update(member("a"))
    assert community.snapshot().ids == ("a",)
    community.update(member("a", findable=False))
    assert community.snapshot().ids == ()


def test_rows_of_another_model_are_never_in_the_snapshot(community: Community, url: str):
    community.join(member("a"))
    newer = Community.open(url, model_version="2")
    assert (len(newer.snapshot()), newer.get(["a"])) == (0, [])
    newer.join(member("b"))
    assert newer.snapshot().ids == ("b",)
    assert community.snapshot().ids == ("a",)
    newer.update(member("a"))  # the same person, embedded again
    assert community.snapshot().ids == ()


def test_arrays_of_the_snapshot_are_read_only(community: Community):
    community.join(member("a"))
    community.snapshot()
    community.join(member("b"))
    snapshot = community.snapshot()
    for array in (snapshot.user[:], snapshot.candidate[:], snapshot.places, snapshot.synthetic):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_seq_rises_with_every_change_and_no_two_rows_share_one(community):
    seqs = [community.join(member(id)) for id in "abc"] + [community.update(member("a"))]
    community.seed(invented(5))
    assert seqs == sorted(set(seqs))
    with community.database.read() as rows:
        stored = rows.scalars(sa.text("select seq from listeners")).all()
    assert len(stored) == len(set(stored)) == 8
    assert last_change(community) == max(stored)


def test_joining_twice_is_refused_and_changes_nothing(community: Community):
    community.join(member("a"))
    before = community.snapshot()
    with pytest.raises(CommunityError, match="a is in the community already"):
        community.join(member("a", seed=4))
    assert community.snapshot() is before


def test_updating_an_unknown_member_is_refused(community: Community):
    with pytest.raises(CommunityError, match="nobody in the community has the id a"):
        community.update(member("a"))
    assert last_change(community) == 0


FORMULA = '=HYPERLINK("https://evil.example")'


def test_an_origin_that_is_not_listed_is_stored_as_file(community: Community):
    profile = replace(consenting("a").profile, origin=f"LastFM+{FORMULA}")
    community.join(replace(consenting("a"), profile=profile))
    community.join(member("b", origin=f"LastFM+{FORMULA}"))
    ((_, stored),) = training_profiles(community)
    assert stored.origin == "lastfm+file"
    community.update(member("b", origin=FORMULA))
    with community.database.read() as connection:
        origins = connection.execute(sa.text("SELECT origin FROM listeners ORDER BY id")).all()
    assert [origin for (origin,) in origins] == ["file", "file"]


def test_an_origin_stored_before_the_list_was_closed_is_shown_as_file(community: Community):
    community.join(member("a"))
    community.join(consenting("b"))
    with community.database.write() as connection:
        connection.execute(sa.text("UPDATE listeners SET origin = :text"), {"text": FORMULA})
        connection.execute(
            sa.text("UPDATE listeners SET profile = REPLACE(profile, :old, :new) WHERE id = 'b'"),
            {"old": '"origin": "file"', "new": '"origin": "=1+1"'},
        )
    assert [one.origin for one in community.get(["a", "b"])] == ["file", "file"]
    ((_, stored),) = training_profiles(community)
    assert stored.origin == "file"


@pytest.mark.parametrize(
    "origin", [SPOTIFY_WEB_API, " Spotify-Web-API ", "file+ Spotify-Web-API", "=1+spotify-web-api"]
)
def test_profiles_from_spotifys_web_api_are_never_stored(community, origin):
    for write in (community.join, community.update, lambda one: community.seed([one])):
        with pytest.raises(CommunityError, match="is never stored"):
            write(member("a", origin=origin))
    community.join(member("a"))
    with pytest.raises(CommunityError, match="is never stored"):
        community.update(member("a", origin=origin))
    assert community.get(["a"])[0].origin == "file"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"user_vector": np.ones(DIM, np.float32)}, "length 2.83"),
        ({"candidate_vector": np.full(DIM, np.nan, np.float32)}, "length nan"),
        ({"user_vector": np.eye(DIM, dtype=np.float32)}, r"shape \(8, 8\)"),
        ({"user_vector": np.eye(1, 5, dtype=np.float32)[0]}, "vector of 5 and .* vector of 8"),
    ],
)
def test_vectors_that_are_not_unit_are_refused(community, changes, says):
    with pytest.raises(ValueError, match=says):
        community.join(member("a", **changes))
    assert last_change(community) == 0


def test_vectors_of_another_length_are_refused(community):
    community.join(member("a"))
    narrow = np.eye(1, 5, dtype=np.float32)[0]
    with pytest.raises(ValueError, match="vector of 5 among vectors of 8"):
        community.join(member("b", user_vector=narrow, candidate_vector=narrow))


def test_ids_are_random():
    assert len({new_id() for _ in range(1000)}) == 1000


# The listeners that ship


def test_seeding_again_writes_nothing(community: Community):
    assert community.seed(invented(30)) == 30
    snapshot = community.snapshot()
    assert snapshot.synthetic.all()
    assert community.seed(invented(30)) == 0
    assert community.snapshot() is snapshot


def test_a_known_digest_spares_reading_the_set(community: Community):
    def unread() -> Iterator[Member]:
        raise AssertionError("the set was read")
        yield

    assert community.seed(invented(3), digest="d1") == 3
    assert community.seed(unread(), digest="d1") == 0


def test_another_set_replaces_the_synthetic_listeners_only(community, other):
    community.seed(invented(30))
    community.join(member("a"))
    before = people(other.snapshot())
    assert community.seed(invented(10, seed=500)) == 10
    snapshot = other.snapshot()
    assert len(snapshot) == 11
    assert people(snapshot)["a"] == before["a"]
    assert people(snapshot)["made3"] != before["made3"]


def test_a_set_with_a_members_id_is_refused_whole(community: Community):
    community.seed(invented(3))
    community.join(member("a"))
    before = community.snapshot()
    with pytest.raises(CommunityError, match="listeners were not added"):
        community.seed([*invented(5, seed=9), member("a", origin="invented")])
    assert community.snapshot() is before


def test_people_cannot_be_seeded_and_synthetic_listeners_cannot_join(community: Community):
    with pytest.raises(ValueError, match="1 of 4 listeners are not synthetic"):
        community.seed([*invented(3), member("a")])
    with pytest.raises(ValueError, match="made0 is synthetic"):
        community.join(invented(1)[0])
    community.seed(invented(1))
    with pytest.raises(CommunityError, match="nobody"):
        community.update(member("made0"))


# Owners


def consenting(id: str, *, code: str = "", **changes) -> Member:
    """Return a member who consents to training, with more artists than others see."""
    artists = {"low": Artist("Low", plays=3.5), "hidden": Artist("Hidden", plays=2.0)}
    profile = Profile(f"{id} at home", artists=artists, name="My name", origin="file")
    return member(id, training=True, profile=profile, code_hash=code, **changes)


def test_an_owner_is_found_by_the_code_and_can_export_everything(community: Community):
    community.join(consenting("a", code="c0de", findable=False))
    owned = find_by_code(community, "c0de")
    assert (owned.id, owned.findable, owned.training, owned.has_profile) == ("a", False, True, True)
    assert owned.listener == member("a").listener
    assert owned.created == owned.updated
    assert find_by_code(community, "other") is None and find_by_code(community, "") is None
    held = export(community, "a")
    assert held["name"] == "a by night" and "My name" not in str(held)
    (vectors,) = held["vectors"]
    np.testing.assert_array_equal(np.float32(vectors["user_vector"]), member("a").user_vector)
    assert export(community, "b") is None


def test_a_code_belongs_to_one_member(community: Community):
    community.join(consenting("a", code="c0de"))
    with pytest.raises(CommunityError, match="access code is taken"):
        community.join(consenting("b", code="c0de"))
    assert count_rows(community, "b") == {"listeners": 0, "vectors": 0}


def test_an_update_keeps_code_and_age_and_replaces_vectors_and_profile(community, other):
    community.join(consenting("a", code="c0de"))
    community.put_vectors("2", [ModelVectors("a", *vectors_of("x"))])
    before = other.snapshot()
    community.update(member("a", seed=9, findable=True))
    owned, snapshot = find_by_code(community, "c0de"), other.snapshot()
    assert not owned.has_profile and not owned.training and owned.updated >= owned.created
    assert snapshot is not before and len(snapshot) == 1
    assert (snapshot.user[0] == member("a", seed=9).user_vector).all()
    assert (snapshot.candidate[0] == member("a", seed=9).candidate_vector).all()
    assert [id for id, _ in profiles_without_vectors(community, "2")] == [
        "a"
    ]  # its vectors were of another profile


@ALSO_ON_THREE_SERVERS
def test_leaving_removes_everything_but_its_record(community: Community, other: Community):
    community.join(consenting("a", code="c0de"))
    community.join(member("b"))
    community.put_vectors("2", [ModelVectors("a", *vectors_of("x"), (1.0, 2.0), "m2")])
    removal = community.leave("a")
    assert removal.removed == {
        "listeners": 1,
        "vectors": 4,
        "places on a map": 2,
        "kept profiles": 1,
        "return codes": 1,
    }
    assert removal.was_training and removal.community == community.id == other.id
    kept = find_deletion(other, "a")
    assert (kept["seq"], kept["at"], kept["digest"]) == (removal.seq, removal.at, removal.digest)
    assert set(kept) == {"id", "seq", "at", "digest"}
    assert count_rows(community, "a") == {"listeners": 0, "vectors": 0}
    assert count_rows(community, "b") == {"listeners": 1, "vectors": 1}
    assert other.snapshot().ids == ("b",) and find_by_code(community, "c0de") is None
    assert community.leave("a") is None and find_deletion(community, "b") is None


def test_a_profile_is_stored_only_with_consent_to_training(community: Community):
    with pytest.raises(ValueError, match="stored only with consent"):
        community.join(replace(consenting("a"), training=False))
    through = replace(consenting("a").profile, origin=f"file+{SPOTIFY_WEB_API}")
    with pytest.raises(CommunityError, match="never stored"):
        community.join(replace(consenting("a"), profile=through))
    assert last_change(community) == 0 and count_rows(community, "a")["listeners"] == 0


def test_stats_counts_rows(community: Community):
    community.seed(invented(3))
    community.join(consenting("a", code="c0de", findable=False))
    community.join(member("b"))
    community.leave("b")
    stats = queries.stats(community)
    told = {"listeners": 4, "findable": 3, "training": 1, "invented": 3, "kept profiles": 1}
    assert {name: stats[name] for name in told} == told
    assert stats["left"] == 1 and stats["vectors by model"] == {"1": 4}
    assert stats["seq"] == last_change(community) and stats["schema"] == SCHEMA


# Learning on


def vectors_of(id: str) -> tuple[np.ndarray, np.ndarray]:
    someone = member(id, seed=77)
    return someone.user_vector, someone.candidate_vector


def test_profiles_are_whole_with_consent_and_public_otherwise(community: Community):
    community.join(consenting("a"))
    community.join(member("b"))
    ((id, kept),) = training_profiles(community)
    assert id == kept.id == "a" and kept.name == "" and set(kept.artists) == {"low", "hidden"}
    for profile in dict(profiles_without_vectors(community, "2")).values():
        shown = {artist.name: artist.plays for artist in profile.artists.values()}
        assert shown == {"Sigur Rós": 12, "Low": 3.5}
    assert list(profiles_without_vectors(community, "1")) == []


@ALSO_ON_THREE_SERVERS
def test_vectors_of_another_model_are_stored_beside_until_the_switch(community, other):
    community.seed(invented(2))
    community.join(member("a"))
    before = other.snapshot()
    rows = [
        ModelVectors(id, *vectors_of(id), (0.0, 1.0), "m2")
        for id, _ in profiles_without_vectors(community, "2")
    ]
    rows.append(ModelVectors("gone", *vectors_of("gone")))
    with pytest.raises(CommunityError, match="3 listeners have no vectors of model 2"):
        community.activate("two", model_version="2")
    assert community.put_vectors("2", rows) == 3
    assert other.snapshot() is before and community.revision() == (before.seq, None)
    assert community.activate("two", model_version="2") == last_change(community) > before.seq
    assert other.revision() == (last_change(community), "two") and previous_model(community) is None
    new = other.with_model("2").snapshot()
    assert set(new.ids) == set(before.ids)
    assert (new.user[new.row_of("a")] == vectors_of("a")[0]).all()
    with pytest.raises(CommunityError, match="is in use"):
        community.drop_vectors("2")
    community.activate(None, model_version="1")
    assert active_model(community) is None and previous_model(community) == "two"
    assert community.drop_vectors("2") == 3
    assert dict(queries.stats(community)["vectors by model"]) == {"1": 3}


def test_a_new_member_must_be_embedded_before_the_switch(community: Community):
    community.join(member("a"))
    community.put_vectors("2", [ModelVectors("a", *vectors_of("a"))])
    community.join(member("b"))
    with pytest.raises(CommunityError, match="1 listeners have no vectors"):
        community.activate("two", model_version="2")
    assert [id for id, _ in profiles_without_vectors(community, "2")] == ["b"]
    assert active_model(community) is None


def test_vectors_of_a_profile_that_changed_meanwhile_are_skipped(community: Community):
    for id in "ab":
        community.join(member(id))
    since = last_change(community)
    community.update(member("a", seed=5))
    rows = [ModelVectors(id, *vectors_of(id)) for id in "ab"]
    assert community.put_vectors("2", rows, since=since) == 1
    assert [id for id, _ in profiles_without_vectors(community, "2")] == ["a"]


def test_the_current_snapshot_gets_vectors_that_come_later(community, other):
    later = other.with_model("2")
    community.activate("two", model_version="2")
    community.join(member("a"))  # by a server that hasn't noticed yet
    assert len(later.snapshot()) == 0
    community.put_vectors("2", [ModelVectors("a", *vectors_of("a"))])
    assert later.snapshot().ids == ("a",) and other.snapshot().ids == ("a",)


def test_a_server_that_restarts_is_an_error_meanwhile_and_loses_nothing():
    with postgres() as (server,):
        server.psql("ALTER SYSTEM RESET ALL;")  # what is acknowledged is written
        server.psql("SELECT pg_reload_conf();")
        url = fresh(server)
        community = Community.open(url, model_version="1")
        community.join(member("a"))
        assert community.snapshot().ids == ("a",)
        process = server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(20)
        with pytest.raises(CommunityError, match="can't be reached: try again"):
            community.join(member("b"))
        with pytest.raises(CommunityError, match="can't be reached: try again"):
            last_change(community)
        server.ensure_postgres_running()
        community.join(member("b"))
        assert community.snapshot().ids == ("a", "b")
        community.close()


def test_a_missing_database_is_an_error(server):
    with pytest.raises(CommunityError, match="has no such database: create it"):
        Community.open(as_url(server.get_uri(), "nowhere"), model_version="1")
