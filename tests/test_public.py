"""Public surface of the package: `from twotower import ...`."""

import subprocess
import sys
from pathlib import Path

import pytest

import twotower
from twotower import Embedder, evaluate, read_profile, read_profiles, train
from twotower.core.settings import ROOT
from twotower.sources.profile_jsonl import write_profiles


def test_import_loads_no_heavy_library():
    code = (
        "import sys, twotower; "
        "print({'torch', 'numpy', 'streamlit', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_every_public_name_has_a_docstring():
    for name in twotower.__all__:
        value = getattr(twotower, name)
        assert value.__doc__, name
        assert name in dir(twotower)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'twotower' has no attribute 'Nonsense'"):
        _ = twotower.Nonsense


def test_a_model_can_be_trained_saved_and_used(tmp_path: Path):
    from planted import ring

    write_profiles(ring(60, artists=16), tmp_path / "listeners.jsonl")
    profiles = list(read_profiles(tmp_path / "listeners.jsonl"))
    messages: list[str] = []
    embedder = train(profiles, steps=2, seed=1, progress=lambda _, text: messages.append(text))
    embedder.save(tmp_path / "model")
    vectors = Embedder.load(tmp_path / "model").embed(profiles[:3], "user")
    assert vectors.shape == (3, 64)
    assert messages


def test_evaluate_refuses_an_unknown_task(trained: Embedder):
    with pytest.raises(ValueError, match="unknown task nonsense; choose from halves"):
        evaluate(trained, tasks=["nonsense"])


def test_read_profile_takes_several_paths(tmp_path: Path):
    (tmp_path / "a.csv").write_text("artist,track\nLow,Two\n")
    (tmp_path / "b.csv").write_text("artist,track\nSlint,Glenn\n")
    profile = read_profile(tmp_path / "a.csv", str(tmp_path / "b.csv"), id="ada")
    assert profile.id == "ada"
    assert set(profile.artists) == {"low", "slint"}
