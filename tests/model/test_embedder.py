"""A model in use and on disk: unit vectors, the same after loading."""

import builtins
import hashlib
import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import make_profile, ring, ring_content
from safetensors.torch import load_file, save_file

from twotower.core.domain import AUDIO, Artist, Playlist, Profile, Spread
from twotower.core.errors import IncompatibleModel, MissingData
from twotower.core.files import sha256_of_file
from twotower.core.names import hashed_id
from twotower.core.settings import ROOT
from twotower.model import model_folder
from twotower.model.embedder import UNSAVED, Embedder
from twotower.model.model_folder import FILES
from twotower.model.pipeline import fit
from twotower.model.train_config import TrainConfig

PEOPLE = [
    *ring(5, artists=16, hits=8, seed=9),
    make_profile("one", {"artist 7": 3}),
    Profile("genres", genres={"jazz": 2.0}),
    Profile("audio", audio={name: Spread(0.5, 0.1) for name in AUDIO}),
    Profile("lists", playlists=(Playlist("folk", (("t", "a"),)),)),
    Profile("strange", {"who": Artist("Who?", 4, ("techno",))}),
]


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory) -> tuple[Embedder, Path]:
    folder = tmp_path_factory.mktemp("models") / "model"
    return trained.save(folder), folder


@pytest.fixture
def copied(saved, tmp_path) -> Path:
    """Return a model folder to damage."""
    return Path(shutil.copytree(saved[1], tmp_path / "model"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("tower", ["user", "candidate"])
def test_vectors_are_unit_float32_one_a_profile_in_order(trained, tower):
    vectors = trained.embed(PEOPLE, tower)
    assert vectors.shape == (len(PEOPLE), trained.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for row, one in enumerate(PEOPLE):
        np.testing.assert_allclose(vectors[row], trained.embed([one], tower)[0], atol=2e-5)
    np.testing.assert_allclose(vectors[::-1], trained.embed(PEOPLE[::-1], tower), atol=2e-5)


def test_the_towers_see_a_listener_differently(trained):
    assert not np.allclose(trained.embed(PEOPLE, "user"), trained.embed(PEOPLE, "candidate"))
    assert trained.dim == trained.model.config.dim == 64


def test_no_profiles_give_no_vectors_and_an_unknown_tower_is_refused(trained):
    assert trained.embed([]).shape == (0, 64)
    with pytest.raises(ValueError, match="sideways"):
        trained.embed(PEOPLE, "sideways")


@pytest.mark.parametrize("count", [1, 2, 10, 41, 150, 2000])
def test_one_artist_and_two_thousand_come_out_sensibly(trained, count):
    """Mix artists of one quarter with many that the model doesn't know."""
    known = {f"artist {n}": Artist(f"artist {n}", 5) for n in range(10, min(count, 30) + 10)}
    strange = {f"x{n}": Artist(f"x{n}", 1, ("metal",)) for n in range(count - len(known))}
    vector = trained.embed([Profile("a", known | strange)])[0]
    same = trained.embed(ring(4, seed=2), "candidate") @ vector
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert same.argmax() == 0  # the same quarter


def test_an_artist_alone_is_a_listener_of_that_artist_alone(trained):
    keys = ("artist 3", "artist 150", "hit 9")
    rows = [trained.catalogue.row_of[key] for key in keys]
    for tower in ("user", "candidate"):
        expected = trained.embed([make_profile(key, {key: 4}) for key in keys], tower)
        np.testing.assert_allclose(trained.embed_alone(rows, tower), expected, atol=2e-5)
    assert trained.embed_alone([]).shape == (0, 64)


def test_it_knows_profiles_with_something_it_can_read(trained):
    assert all(trained.knows(one) for one in PEOPLE)
    assert not trained.knows(make_profile("a", {"nobody": 3}))
    assert not trained.knows(Profile("a"))


def test_listeners_of_one_quarter_are_near(trained):
    people = ring(40, artists=16, hits=8, seed=8)
    cosines = trained.embed(people) @ trained.embed(people, "candidate").T
    quarter = np.arange(40) % 4
    same = quarter[:, None] == quarter
    assert cosines[same].mean() > cosines[~same].mean() + 0.3


def test_a_loaded_model_gives_the_very_same_vectors(tmp_path):
    fresh = fit(ring(48), ring_content(), config=TrainConfig(steps=2))
    kept = fresh.save(tmp_path / "model")
    loaded = Embedder.load(tmp_path / "model")
    for tower in ("user", "candidate"):
        assert np.array_equal(loaded.embed(PEOPLE, tower), fresh.embed(PEOPLE, tower))
    assert loaded.version == kept.version != fresh.version == UNSAVED
    assert loaded.catalogue.keys == fresh.catalogue.keys
    assert loaded.about == json.loads(json.dumps(fresh.about))
    assert loaded.trained_on == fresh.trained_on
    assert [loaded.coverage(p) for p in PEOPLE] == [fresh.coverage(p) for p in PEOPLE]


def test_the_shipped_model_keeps_its_version_when_it_is_saved_again(tmp_path):
    shipped = Embedder.load(ROOT / "assets" / "model")
    assert shipped.save(tmp_path / "model").version == shipped.version
    weights = load_file(tmp_path / "model" / "weights.safetensors")
    assert {"model.user.root", "model.candidate.turn", "model.encoder.gate.weight"} <= set(weights)


def test_it_stores_the_hashed_ids_of_its_training_listeners(trained):
    seen = {hashed_id(p) for p in ring(160, artists=16, hits=16)}
    assert set(trained.trained_on) == seen and len(trained.trained_on) == 160


def test_hashed_ids_of_older_models_have_more_digits_and_still_match(trained, tmp_path):
    whole = hashlib.sha256(b"hetrec:12345").hexdigest()
    replace(trained, trained_on=(whole,)).save(tmp_path / "older")
    seen = Embedder.load(tmp_path / "older").trained_on
    assert seen == (hashed_id(Profile("12345", {}, origin="hetrec")),)


def test_the_version_is_that_of_the_files(saved, trained, tmp_path):
    again = trained.save(tmp_path / "again")
    assert again.version == saved[0].version
    assert contents(tmp_path / "again") == contents(saved[1])
    other = replace(trained, trained_on=("0" * 64,)).save(tmp_path / "other")
    assert other.version != again.version


def test_nothing_in_the_folder_is_pickled_and_everyone_may_read_it(saved):
    _, folder = saved
    assert {path.name for path in folder.iterdir()} == {*FILES, "config.json"}
    for path in folder.iterdir():
        assert path.suffix in (".gz", ".json", ".npz", ".safetensors")
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with np.load(folder / "catalogue.npz", allow_pickle=False) as arrays:
        assert {array.dtype.kind for array in arrays.values()} == {"f", "i", "b"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_the_artists_are_stored_in_eight_and_sixteen_bits(saved):
    tensors = load_file(saved[1] / "weights.safetensors")
    types = {name: tensors[f"items.{name}"].dtype for name in ("vectors", "scale", "gates", "df")}
    assert types.pop("vectors") == torch.int8
    assert set(types.values()) == {torch.float16}


def test_a_smaller_catalogue_keeps_the_vectors_of_its_artists(trained):
    rows = np.arange(0, len(trained.catalogue), 2)
    smaller = trained.select(rows)
    keys = [trained.catalogue.keys[row] for row in rows]
    assert list(smaller.catalogue.keys) == keys
    profile = make_profile("x", dict.fromkeys(keys[:8], 2.0))
    np.testing.assert_allclose(smaller.embed([profile]), trained.embed([profile]), atol=1e-6)


def test_saving_replaces_an_older_model(trained, copied):
    changed = replace(trained, about={"note": "new"})
    changed.save(copied)
    assert Embedder.load(copied).about == {"note": "new"}
    assert [path.name for path in copied.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("failing", ["write_text", "save_file", "replace"])
def test_if_saving_fails_the_old_model_stays(trained, copied, monkeypatch, failing):
    before = contents(copied)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    if failing == "write_text":
        monkeypatch.setattr(Path, "write_text", full)
    elif failing == "save_file":
        monkeypatch.setattr(model_folder, "save_file", full)
    else:
        real, calls = os.replace, []

        def second_fails(*args):
            calls.append(args)
            return full() if len(calls) == 2 else real(*args)

        monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(OSError, match="No space"):
        replace(trained, about={"note": "new"}).save(copied)
    monkeypatch.undo()
    assert contents(copied) == before
    assert [path.name for path in copied.parent.iterdir()] == ["model"]


def test_a_folder_with_other_things_is_not_replaced(trained, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep me")
    with pytest.raises(ValueError, match="letters has other files"):
        trained.save(tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").read_text() == "keep me"
    (tmp_path / "file").write_text("keep me")
    with pytest.raises(ValueError, match="file has other files"):
        trained.save(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    trained.save(tmp_path / "empty")


def test_a_missing_model_says_how_to_get_one(tmp_path):
    with pytest.raises(MissingData, match="train"):
        Embedder.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "cut", "garbled", "of another run"])
def test_damaged_files_are_named(copied, name, how):
    path = copied / name
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {"cut": data[:-1], "garbled": b"\x00" + data[1:], "of another run": data + b" "}[how]
        )
    with pytest.raises(IncompatibleModel, match=r"restore|train a new") as caught:
        Embedder.load(copied)
    assert name in str(caught.value)


def _rewrite(folder: Path, change) -> None:
    document = json.loads((folder / "config.json").read_text())
    change(document)
    (folder / "config.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format=99),
        lambda d: d.update(version="0" * 12),
        lambda d: d.update(model={"dim": 64, "unheard": 1}),
        lambda d: d["model"].update(dim=32),
        lambda d: d["model"].update(hidden="wide"),
        lambda d: d.update(files=[]),
        lambda d: d.update(about=7),
        lambda d: d.pop("about"),
        lambda d: d.pop("files"),
        lambda d: d.clear(),
    ],
)
def test_a_config_that_doesnt_fit_its_files_is_refused(copied, change):
    _rewrite(copied, change)
    with pytest.raises(IncompatibleModel):
        Embedder.load(copied)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"x"', "\x00"])
def test_an_invalid_config_is_refused(copied, text):
    (copied / "config.json").write_text(text)
    with pytest.raises(IncompatibleModel):
        Embedder.load(copied)


def test_weights_of_another_catalogue_are_refused_even_with_true_hashes(copied):
    """Mixed files, as made by copying them by hand."""
    tensors = load_file(copied / "weights.safetensors")
    tensors["items.gates"] = tensors["items.gates"][:-1].contiguous()
    save_file(tensors, copied / "weights.safetensors")

    def honest(document):
        document["files"]["weights.safetensors"] = sha256_of_file(copied / "weights.safetensors")
        document["version"] = model_folder._version(document["files"])

    _rewrite(copied, honest)
    with pytest.raises(IncompatibleModel, match="different trainings"):
        Embedder.load(copied)


def test_a_model_without_content_is_kept_and_loaded_too(tmp_path):
    bare = fit(ring(40), config=TrainConfig(steps=2)).save(tmp_path / "bare")
    loaded = Embedder.load(tmp_path / "bare")
    assert np.array_equal(loaded.embed(PEOPLE[:6]), bare.embed(PEOPLE[:6]))
    assert loaded.catalogue.genres_of("artist 3") == () and not loaded.catalogue.audio_of(
        "artist 3"
    )


def test_loading_opens_no_pickle(saved, monkeypatch):
    real = builtins.__import__

    def watched(name, *args, **kwargs):
        assert name not in ("pickle", "joblib", "dill"), "a pickle is read"
        return real(name, *args, **kwargs)

    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("torch.load is used"))
    monkeypatch.setattr(builtins, "__import__", watched)
    Embedder.load(saved[1])


def test_effective_dimensions_grow_with_the_profile_from_zero(trained):
    people = ring(20, artists=16, hits=8, seed=6)
    by_count = []
    for count in (1, 3, 5, 10, 20):
        cut = [replace(p, artists=dict(list(p.artists.items())[:count])) for p in people]
        by_count.append(trained.effective_dimensions(cut))
    grown = np.array(by_count)  # (5 cuts, listeners)
    assert (np.diff(grown, axis=0) > 0).all()
    assert (grown > 0).all() and (grown < trained.dim).all()
    assert trained.effective_dimensions([Profile("nobody")])[0] == pytest.approx(0, abs=1e-9)
    assert trained.effective_dimensions([Profile("genres", genres={"jazz": 2.0})])[0] > 0


def test_evidence_of_a_long_profile_is_of_all_its_chunks(trained):
    long = {f"artist {n}": Artist(f"artist {n}", 5) for n in range(120)}
    short = dict(list(long.items())[:40])
    part, whole = trained.effective_dimensions([Profile("a", short), Profile("b", long)])
    assert part < whole < trained.dim
