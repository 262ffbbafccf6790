"""PostgreSQL's vector index, on one server and on three."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa
from members import member
from planted import ring
from servers import fresh, postgres

from twotower.community import Community, Member, new_id
from twotower.community.membership import JoinRequest
from twotower.community.queries import last_change
from twotower.community.scale.hnsw import build_index
from twotower.community.scale.partitions import create_partitioned
from twotower.core.domain import Listener
from twotower.core.errors import CommunityError
from twotower.core.settings import Settings
from twotower.matching.matcher import Matcher
from twotower.model.portrait import Portrait

COUNT, DIM, K = 3000, 16, 50


def drawn(count: int, seed: int) -> np.ndarray:
    """Draw (count, DIM) unit vectors float32 around twenty centres."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((20, DIM))[rng.integers(20, size=count)]
    rows = (rows + rng.standard_normal((count, DIM))).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


VECTORS = drawn(COUNT, 1)


def made(n: int) -> Member:
    place = None if n % 10 == 0 else (float(n), 1.0)
    who = Listener(f"i{n:04d}", f"Nobody {n}", "invented", (("Low", 1.0),), (), place)
    return Member(who, VECTORS[n], VECTORS[n], findable=n % 7 > 0)


@pytest.fixture(scope="module")
def three() -> Iterator:
    with postgres(3) as servers:
        yield servers


@pytest.fixture(scope="module", params=[1, 3])
def url(request, three) -> str:
    asked = fresh(three[0])
    shards = [fresh(each) for each in three] if request.param == 3 else []
    if shards:
        create_partitioned(asked, shards, community=new_id())
    community = Community.open(asked, model_version="1")
    community.seed(made(n) for n in range(COUNT))
    assert (
        len(community.snapshot())
        == community.snapshot().total
        == sum(n % 7 > 0 for n in range(COUNT))
    )
    assert build_index(community.database, "1", shards) == DIM
    community.close()
    return asked


@pytest.fixture
def whole(url: str) -> Iterator[Community]:
    """Everyone in memory."""
    community = Community.open(url, model_version="1", sample=None)
    yield community
    community.close()


@pytest.fixture
def community(url: str) -> Iterator[Community]:
    """A sample in memory, and the index."""
    community = Community.open(url, model_version="1", sample=200)
    yield community
    community.close()


def test_the_index_finds_nearly_all_neighbours_in_order(community, whole):
    shares = []
    for query in drawn(20, 2):
        found, exact = community.nearest(query, K), whole.nearest(query, K)
        shares.append(len(set(found.ids) & set(exact.ids)) / K)
        scores = found.candidate @ query
        assert len(found.ids) == K and (np.diff(scores) <= 1e-6).all()
        rows = [int(id[1:]) for id in found.ids]
        assert (found.user == VECTORS[rows]).all() and (found.candidate == VECTORS[rows]).all()
        assert all(row % 7 for row in rows)  # who may not be found is not
    assert np.mean(shares) > 0.95


def test_the_planner_uses_the_index(url: str, community):
    """On three servers each of them uses its own."""
    seen: list[str] = []

    def explained(connection, cursor, statement, parameters, context, many) -> None:
        if "::halfvec" in statement:
            with connection.connection.cursor() as asking:
                asking.execute(f"EXPLAIN (VERBOSE) {statement}", parameters)
                seen.append("\n".join(row[0] for row in asking.fetchall()))

    sa.event.listen(community.database.engine, "before_cursor_execute", explained)
    community.nearest(VECTORS[0], 10)
    (plan,) = seen
    here, there = "Index Scan using vectors_near", "ORDER BY (candidate_vector::public.halfvec"
    assert here in plan or plan.count(there) == 3, plan


def test_the_snapshot_is_a_sample_and_follows_changes(community, whole):
    snapshot = community.snapshot()
    assert 120 < len(snapshot) < 300 and snapshot.total == snapshot.total_synthetic == len(
        whole.snapshot()
    )
    assert not snapshot.is_whole and set(snapshot.ids) < set(whole.snapshot().ids)
    assert not community.snapshot().is_whole
    inside = 0
    for n in range(60):
        whole.join(member(f"p{n}", user_vector=VECTORS[n], candidate_vector=VECTORS[n]))
        inside += community.snapshot().row_of(f"p{n}") is not None
    assert 0 < inside < 20
    assert "p3" in community.nearest(VECTORS[3], 2).ids  # whether or not it is in the sample
    after = community.snapshot()
    again = Community.open(community.database.engine.url.render_as_string(False), model_version="1")
    assert after.seq == last_change(again)
    for n in range(60):
        whole.leave(f"p{n}")
        assert f"p{n}" not in community.nearest(VECTORS[n], 3).ids
    assert set(community.snapshot().ids) == set(snapshot.ids)
    again.close()


def test_a_small_community_is_loaded_whole_and_searched_exactly(url: str, whole):
    large = Community.open(url, model_version="1")
    assert large.is_indexed and large.snapshot().is_whole
    for query in drawn(5, 3):
        assert large.nearest(query, K).ids == whole.nearest(query, K).ids
    large.close()


def test_members_are_found_after_the_community_outgrows_the_sample(three):
    url = fresh(three[0])
    whole = Community.open(url, model_version="1", sample=None)
    whole.seed(made(n) for n in range(20))
    build_index(whole.database, whole.model_version)
    served = Community.open(url, model_version="1", sample=20)
    assert served.snapshot().is_whole and served.snapshot().total == len(whole.snapshot()) < 20
    for n in range(60):
        whole.join(member(f"p{n}", user_vector=VECTORS[n], candidate_vector=VECTORS[n]))
        assert f"p{n}" in served.nearest(VECTORS[n], 2).ids
        assert served.snapshot().is_whole == (served.snapshot().total == len(served.snapshot()))
    assert not served.snapshot().is_whole
    whole.leave("p59")
    assert "p59" not in served.nearest(VECTORS[59], 3).ids
    for each in (whole, served):
        each.close()


def test_listeners_without_a_place_can_be_left_out(community):
    found = community.nearest(VECTORS[0], K, placed=True)
    assert len(found.ids) == K and np.isfinite(found.places).all()
    assert not any(int(id[1:]) % 10 == 0 for id in found.ids)


def test_vectors_of_another_model_do_not_matter(community, whole):
    new = replace(member("two"), user_vector=drawn(1, 5)[0], candidate_vector=VECTORS[5])
    other = whole.with_model("2")
    other.join(new)
    assert "two" not in community.nearest(VECTORS[5], 3).ids
    seen = Community.open(community.database.engine.url.render_as_string(False), model_version="2")
    assert seen.nearest(VECTORS[5], 3).ids == ("two",)
    seen.close()
    other.leave("two")


def test_a_matcher_with_a_sample_finds_the_same_neighbours(three, planted_assets):
    """A new member outside the sample is found, too; one who left is not."""
    url = fresh(three[0])
    settings = Settings(planted_assets / "none", planted_assets, url)
    whole = Matcher.load(settings)
    build_index(whole.community.database, whole.version)
    sampled = Community.open(url, model_version=whole.version, sample=120)
    few = Matcher(whole.embedder, sampled, whole.shipped)
    assert 90 < len(few.snapshot()) < 150 and few.snapshot().total == len(whole.snapshot()) == 200
    same = []
    for profile in ring(8, artists=16, hits=8, origin="file", seed=31):
        portrait = few.portrait(profile)
        near, exact = few.neighbours(portrait), whole.neighbours(portrait)
        assert [n.similarity for n in near] == pytest.approx(
            [whole_similarity(whole, portrait, n.listener.id) for n in near], abs=0.1
        )  # the sample gives a slightly lower local density
        same.append(len({n.listener.id for n in near} & {n.listener.id for n in exact}) / 10)
        assert few.place(portrait) == pytest.approx(whole.place(portrait), abs=0.5)
    assert np.mean(same) > 0.6
    join_request = JoinRequest("Amber Otter", tuple(list(profile.artists)[:5]), findable=True)
    joined = whole.membership.join(few.portrait(profile), join_request)
    assert joined.id in [n.listener.id for n in few.neighbours(few.portrait(profile), 20)]
    assert few.named_like("amber o", 4)[0].id == joined.id
    whole.membership.leave(joined.code)
    assert joined.id not in [n.listener.id for n in few.neighbours(few.portrait(profile), 20)]
    for each in (whole.community, sampled):
        each.close()


def whole_similarity(matcher: Matcher, portrait: Portrait, id: str) -> float:
    """Return the similarity of a pair, by a matcher with everyone in memory."""
    found = matcher.neighbours(portrait, len(matcher.snapshot()))
    return next(n.similarity for n in found if n.listener.id == id)


def test_sqlite_has_no_index_and_says_so(tmp_path):
    community = Community.open(f"sqlite:///{tmp_path / 'c.sqlite'}", model_version="1")
    with pytest.raises(CommunityError, match="the community is empty"):
        build_index(community.database, community.model_version)
    community.join(member("a"))
    with pytest.raises(CommunityError, match="only PostgreSQL"):
        build_index(community.database, community.model_version)
    assert not Community.open(f"sqlite:///{tmp_path / 'c.sqlite'}", model_version="1").is_indexed
