"""The shipped community: complete, of one model, and reproducible."""

import gzip
import json
import lzma
import shutil
from pathlib import Path

import numpy as np
import pytest
from planted import main_plane, ring

from twotower.bundle import shipped
from twotower.bundle.shipped import Shipped, pair_similarity
from twotower.community.public_view import listed_artists
from twotower.core.domain import AUDIO, Profile
from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import sha256_of_file
from twotower.core.names import artist_key
from twotower.model.catalogue import Catalogue
from twotower.model.ease import ItemItemWeights
from twotower.model.embedder import Embedder
from twotower.retrieval import projection
from twotower.retrieval.similarity import (
    W_VECTOR,
    ListenerBatch,
    PlayRowReader,
    hub_corrected,
    local_density,
    similarity,
)


@pytest.fixture(scope="module")
def embedder(planted_assets) -> Embedder:
    return Embedder.load(planted_assets / "model")


@pytest.fixture
def copied(planted_assets, tmp_path) -> Path:
    return Path(shutil.copytree(planted_assets, tmp_path / "assets"))


@pytest.fixture
def together(planted_assets, embedder) -> Shipped:
    return Shipped.load(planted_assets, model_version=embedder.version)


def test_every_listener_is_a_member_with_vectors_place_and_genres(together, embedder):
    members = list(together.members())
    people = list(together.profiles())
    assert len(members) == len(people) == 200
    users = embedder.embed(people, "user")
    candidates = embedder.embed(people, "candidate")
    for member, profile, user, candidate in zip(members, people, users, candidates, strict=True):
        assert member.listener.id == profile.id and member.listener.name == profile.name
        assert member.listener.origin == "invented"
        assert np.isfinite(member.listener.place).all()
        assert member.listener.genres and len(set(member.listener.genres)) <= 5
        np.testing.assert_allclose(member.user_vector, user, atol=2e-3)
        np.testing.assert_allclose(member.candidate_vector, candidate, atol=2e-3)
        for vector in (member.user_vector, member.candidate_vector):
            assert vector.dtype == np.float32
            assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert len({member.map_version for member in members}) == 1


def test_what_is_read_is_what_was_written(together):
    for wrote, read in zip(
        ring(200, artists=16, hits=8, origin="invented", seed=20), together.profiles(), strict=True
    ):
        assert {k: a.plays for k, a in read.artists.items()} == {
            k: a.plays for k, a in wrote.artists.items()
        }


def test_the_same_listeners_and_model_give_the_same_files(
    together, embedder, planted_assets, tmp_path, monkeypatch
):
    monkeypatch.setattr(projection, "fit_map", main_plane)
    again = shipped.build(tmp_path, embedder, list(together.profiles()))
    for path in (planted_assets / "community").iterdir():
        assert (tmp_path / "community" / path.name).read_bytes() == path.read_bytes()
    assert again.digest == together.digest


def test_quantiles_are_those_of_the_corrected_similarity_of_all_pairs(together, trained):
    arrays = together.vectors
    listed = [
        [(artist_key(n), plays) for n, plays in listed_artists(p)] for p in together.profiles()
    ]
    people = ListenerBatch(
        arrays["user"], arrays["candidate"], PlayRowReader.of(trained).read(listed)
    )
    others = ~np.eye(200, dtype=bool)
    scores = similarity(people, people)
    density = local_density(scores, others)
    pairs = hub_corrected(scores, density, density)[others]
    assert len(together.quantiles) == 1001
    for share in (0, 0.1, 0.5, 0.999, 1):
        expected = np.quantile(pairs, share)
        assert together.quantiles[int(share * 1000)] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("share", [None, 0.5])
def test_quantiles_of_another_similarity_are_not_read(copied, embedder, share):
    """Older files have no hub share: their quantiles are of the uncorrected similarity."""
    rewrite(copied, hub_share=share)
    assert Shipped.load(copied, model_version=embedder.version).quantiles is None


def test_pairs_are_of_different_listeners_and_symmetric_by_hand():
    user = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    candidate = np.array([[0.6, 0.8], [1.0, 0.0]], np.float32)
    reader = PlayRowReader(Catalogue((), (), np.zeros(0)), 1.0, ItemItemWeights.empty(0))
    nothing = reader.read([[], []])
    pairs = pair_similarity(ListenerBatch(user, candidate, nothing))
    assert len(pairs) > 1000 and np.allclose(pairs, W_VECTOR * 0.9)  # (1 + .8) / 2 both ways


def test_audio_has_the_low_middle_and_high_percentile_of_listeners(together):
    assert set(together.audio) == set(AUDIO)
    assert all(low <= middle <= high for low, middle, high in together.audio.values())
    low, _, high = together.audio["tempo"]
    assert 80 < low < high < 160


def test_neighbours_of_known_profiles_are_recorded(embedder):
    ids = ["a", "b", "c"]
    people = ListenerBatch.of(embedder, ring(3, artists=16, hits=8, seed=8))
    density = np.array([0.1, 0.2, 0.3])
    assert shipped.demo_neighbours(embedder, ids, people, density) == {}  # no demo is on the ring
    demo = Profile("demo", ring(1)[0].artists)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped, "DEMOS", (demo, Profile("unheard of")))
        found = shipped.demo_neighbours(embedder, ids, people, density)
    assert list(found) == ["demo"]
    scores = similarity(ListenerBatch.of(embedder, [demo]), people)
    corrected = hub_corrected(scores, local_density(scores), density)[0]
    expected = {id: round(float(value), 4) for id, value in zip(ids, corrected, strict=True)}
    assert dict(found["demo"]) == expected


def test_a_missing_community_says_what_to_do(tmp_path):
    with pytest.raises(MissingData, match="make assets"):
        Shipped.load(tmp_path, model_version="x")


def test_the_community_of_another_model_is_refused(planted_assets):
    with pytest.raises(IncompatibleModel, match="abcdef"):
        Shipped.load(planted_assets, model_version="abcdef")


@pytest.mark.parametrize("name", ["listeners.jsonl.xz", "vectors.npz"])
@pytest.mark.parametrize("how", ["missing", "cut", "garbled"])
def test_damaged_files_are_refused(copied, embedder, name, how):
    path = copied / "community" / name
    if how == "missing":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[:-9] if how == "cut" else b"x" + data[1:])
    with pytest.raises(IncompatibleModel, match="restore assets/community"):
        Shipped.load(copied, model_version=embedder.version)


def rewrite(assets: Path, **changed: object) -> None:
    path = assets / "community" / "community.json"
    document = json.loads(path.read_text()) | changed
    path.write_text(json.dumps({k: v for k, v in document.items() if v is not None}))


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 2}, {"format": None}, {"files": None}, {"files": 7}, {"audio": []},
        {"areas": [{"colour": 1}]}, {"areas": 7}, {"quantiles": "all"}, {"model_version": None},
        {"about": None},
    ],
)  # fmt: skip
def test_a_document_of_another_form_is_refused(copied, embedder, changed):
    rewrite(copied, **changed)
    with pytest.raises(IncompatibleModel):
        Shipped.load(copied, model_version=embedder.version)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_document_that_is_no_json_object_is_refused(copied, embedder, text):
    (copied / "community" / "community.json").write_text(text)
    with pytest.raises(IncompatibleModel):
        Shipped.load(copied, model_version=embedder.version)


def test_the_gzipped_listeners_of_older_communities_are_read(copied, embedder, together):
    path = copied / "community" / "listeners.jsonl.xz"
    older = path.with_suffix(".gz")
    older.write_bytes(gzip.compress(lzma.decompress(path.read_bytes())))
    path.unlink()
    files = json.loads((copied / "community" / "community.json").read_text())["files"]
    del files[path.name]
    rewrite(copied, files=files | {older.name: sha256_of_file(older)})
    again = Shipped.load(copied, model_version=embedder.version)
    assert list(again.profiles()) == list(together.profiles())
    for one, other in zip(again.members(), together.members(), strict=True):
        assert one.listener == other.listener


def test_listeners_in_another_order_than_their_vectors_are_refused(copied, embedder):
    path = copied / "community" / "listeners.jsonl.xz"
    lines = lzma.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(lzma.compress(b"".join(lines[::-1])))
    files = json.loads((copied / "community" / "community.json").read_text())["files"]
    rewrite(copied, files=files | {path.name: sha256_of_file(path)})
    together = Shipped.load(copied, model_version=embedder.version)
    with pytest.raises(IncompatibleModel, match="i199 in one file and i0"):
        list(together.members())
