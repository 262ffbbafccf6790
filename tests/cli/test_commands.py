"""Commands: their output, and one line with exit code 2 after bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning import quick_map
from planted import hetrec_files, main_plane
from sharing import made_once
from typer.testing import CliRunner, Result
from vectors import FITS, TOWERS

import twotower.evaluation.runner
from twotower.bundle import shipped
from twotower.cli.main import app
from twotower.core.domain import Artist, Profile
from twotower.core.names import hashed_id
from twotower.core.settings import ROOT, Settings
from twotower.evaluation.methods.baselines import BASELINES
from twotower.evaluation.runner import REFERENCE, SECOND_REFERENCE
from twotower.model.confidence import ConfidenceCurve
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit
from twotower.model.train_config import TrainConfig
from twotower.retrieval import projection
from twotower.sources import sharding
from twotower.sources.datasets.tables import FOLDERS
from twotower.sources.profile_jsonl import read_profiles, write_profiles

COMMANDS = [
    "import",
    "dataset",
    "train",
    "evaluate",
    "embed",
    "embed-join",
    "neighbours",
    "explain",
    "map fit",
    "map place",
    "assets",
    "refresh",
    "doctor",
]
LISTENERS, UNSEEN = 440, 40  # in the world; of these, not in the model's training
HISTORY = [
    {"ts": "2024-01-01T10:00:00Z", "ms_played": 200_000, "master_metadata_track_name": "One"},
    {"ts": "2024-01-02T10:00:00Z", "ms_played": 200_000, "master_metadata_track_name": "One"},
    {"ts": "2024-01-03T10:00:00Z", "ms_played": 9_000, "master_metadata_track_name": "Two"},
]


def people(count: int, artists: int, *, seed: int = 0) -> list[Profile]:
    """Return listeners of four groups in turn, each with `artists` of the 20 of its group."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        drawn = rng.choice(20, artists, replace=False)
        names = [f"g{number % 4} a{artist}" for artist in drawn]
        plays = np.ceil(rng.exponential(100.0, artists)).tolist()
        played = {name: Artist(name, n) for name, n in zip(names, plays, strict=True)}
        made.append(Profile(str(number), played, origin="hetrec"))
    return made


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `assets` with a small model and 60 synthetic listeners, and input files."""

    def build(folder: Path) -> None:
        listeners = people(LISTENERS, 12)
        write_profiles(listeners, folder / "listeners.jsonl")
        embedder = fit(listeners[:-UNSEEN], config=TrainConfig(steps=20)).save(
            folder / "assets" / "model"
        )
        invented = [
            replace(p, id=f"i{number}", origin="invented", name=f"Amber Otter {number}")
            for number, p in enumerate(people(60, 12, seed=7))
        ]
        with pytest.MonkeyPatch.context() as patch:  # umap takes ten seconds, and has its own tests
            patch.setattr(projection, "fit_map", main_plane)
            shipped.build(folder / "assets", embedder, invented)
        write_profiles([replace(people(3, 12, seed=8)[2], id="someone")], folder / "someone.jsonl")

    return made_once(tmp_path_factory, "world", build)


@pytest.fixture
def env(world: Path, tmp_path: Path) -> dict[str, str]:
    return {
        "TWOTOWER_ASSETS": str(world / "assets"),
        "TWOTOWER_COMMUNITY": f"sqlite:///{tmp_path / 'community.sqlite'}",
        "TWOTOWER_DATA": str(tmp_path / "no data"),
    }


def run(args: Sequence[object], env: dict[str, str] | None = None) -> Result:
    result = CliRunner(env=env).invoke(app, list(map(str, args)), prog_name="twotower")
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return result


def values(args: Sequence[object], env: dict[str, str] | None = None) -> dict[str, Any]:
    result = run([*args, "--json"], env)
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def refusal(args: Sequence[object], env: dict[str, str] | None = None) -> str:
    """Return the error line of a command after bad input."""
    result = run(args, env)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr


def history(path: Path, rows: Sequence[dict[str, Any]], artist: str = "Low") -> Path:
    named = [{**row, "master_metadata_album_artist_name": artist} for row in rows]
    path.write_text(json.dumps(named), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str):
    result = run([*command.split(), "--help"])
    assert result.exit_code == 0 and "--help" in result.stdout


def test_help_needs_none_of_the_heavy_libraries():
    code = (
        "import sys; from twotower.cli.main import app; "
        "print({'torch', 'streamlit', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_import_makes_one_profile_of_several_files(tmp_path: Path):
    first = history(tmp_path / "Streaming_History_Audio_2023.json", HISTORY)
    second = tmp_path / "more.csv"
    second.write_text("artist,track\nMúm,Green Grass\nLow,Two\n", encoding="utf-8")
    out = tmp_path / "new" / "profiles.jsonl"
    document = values(["import", first, second, "--out", out, "--id", "u1"])
    assert document == {
        "id": "u1",
        "out": str(out),
        "origin": "file",
        "artists": 2,
        "tracks": 3,
        "playlists": 0,
        "plays": 4,
        "credits_split": 0,
        "files": [
            {
                "name": first.name,
                "plays": 2,
                "artists": 1,
                "from": "2024-01-01",
                "to": "2024-01-02",
                "left_out": {"shorter than 30 s": 1},
                "notes": [],
            },
            {"name": "more.csv", "plays": 2, "artists": 2, "left_out": {}, "notes": []},
        ],
    }
    (profile,) = read_profiles(out)
    assert profile.id == "u1"
    assert {key: artist.plays for key, artist in profile.artists.items()} == {"low": 3, "mum": 1}


def test_import_reports_credits_and_files_without_listening(tmp_path: Path):
    music, other, out = (tmp_path / name for name in ("a.csv", "Userdata.json", "p.jsonl"))
    music.write_text("artist,plays,date\nKendrick Lamar & SZA,3,\nSimon & Garfunkel,2,3/4/2026\n")
    other.write_text('{"username": "nobody"}')
    arguments = ["import", music, other, "--out", out]
    document = json.loads(run([*arguments, "--json"]).stdout)
    assert document["credits_split"] == 1
    assert document["files"][0]["notes"] == ["Dates such as 3/4 were read with the day first."]
    assert document["files"][1]["passed_over"].startswith("this isn't a listening history")
    (profile,) = read_profiles(out)
    assert {artist.name for artist in profile.artists.values()} == {
        *("Kendrick Lamar", "SZA", "Simon & Garfunkel")
    }
    text = run(arguments).stdout
    assert "Userdata.json: passed over" in text
    assert "credits of several artists that were split: 1" in text


def test_import_prints_what_it_left_out(tmp_path: Path):
    file = history(tmp_path / "Streaming_History_Audio_2023.json", HISTORY)
    result = run(["import", file, "--out", tmp_path / "p.jsonl"])
    assert "2 plays (left out: 1 shorter than 30 s)" in result.stdout
    assert "1 artists, 1 tracks, 0 playlists" in result.stdout


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("empty.json", b"", "empty"),
        ("photo.zip", b"PK\x03\x04 no archive", "photo.zip"),
        ("cut.json", b'[{"ts": "2024', "cut.json"),
        ("p.jsonl", b'{"v": 1, "id": "a", "artists": [{"plays": 2}]}\n', "line 1: artists[0].name"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: bytes, line: str, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    message = refusal(["import", tmp_path / name, "--out", tmp_path / "out.jsonl"])
    assert name in message and line in message
    assert not (tmp_path / "out.jsonl").exists()


def test_a_file_without_music_says_so(tmp_path: Path):
    podcasts = [{**HISTORY[0], "master_metadata_track_name": None, "episode_name": "Talk"}]
    file = history(tmp_path / "Streaming_History_Audio_2023.json", podcasts, artist="")
    assert "no music in it" in refusal(["import", file, "--out", tmp_path / "out.jsonl"])


@pytest.mark.parametrize("command", ["neighbours", "map place"])
def test_a_file_that_is_not_there_is_named(command: str, env: dict[str, str]):
    message = refusal([*command.split(), "nowhere/my.zip"], env)
    assert message == "error: nowhere/my.zip: there is no such file; check the path\n"


def test_an_output_path_that_can_not_be_written_is_refused(tmp_path: Path):
    file = history(tmp_path / "Streaming_History_Audio_2023.json", HISTORY)
    assert "is a folder; name a file" in refusal(["import", file, "--out", tmp_path])
    assert "is not a folder" in refusal(["import", file, "--out", file / "out.jsonl"])


def test_dataset_writes_listeners_and_tags(tmp_path: Path):
    folder = hetrec_files(tmp_path / "data" / FOLDERS["hetrec"], people(20, 5))
    out, tags = tmp_path / "p.jsonl", tmp_path / "t.jsonl.gz"
    document = values(["dataset", "hetrec", folder, "--out", out, "--tags", tags])
    assert document == {"dataset": "hetrec", "listeners": 20, "tags": 20}
    assert [p.id for p in read_profiles(out)] == [str(number) for number in range(20)]


def test_dataset_writes_content_of_the_sets_beside_it(tmp_path: Path, env: dict[str, str]):
    folder = hetrec_files(tmp_path / "data" / FOLDERS["hetrec"], people(20, 5))
    content = tmp_path / "c.jsonl"
    args = ["dataset", "hetrec", folder, "--content", content]
    assert "docs/data.md" in refusal(args, env)
    beside = folder.parent / FOLDERS["artists-2020"]
    beside.mkdir()
    (beside / "artists_cleaned.csv").write_text("name,popularity,genres\nLow,53,['slowcore']\n")
    (beside / "artists_20210824.tsv").write_text("name\tpopularity\tgenres\nMúm\t40\t[]\n")
    assert values(args, env) == {"dataset": "hetrec", "artists": 2}
    first = json.loads(content.read_text().splitlines()[0])
    assert first == {"name": "Low", "genres": ["slowcore"], "popularity": 53}
    newer = folder.parent / FOLDERS["bollywood"]
    newer.mkdir()
    (newer / "singers_by_decade.csv").write_text("singer,years,songs\nAlisha,1985-1994,3\n")
    assert values(args, env) == {"dataset": "hetrec", "artists": 2}
    assert values([*args, "--modern"], env) == {"dataset": "hetrec", "artists": 3}


def test_dataset_counts_broken_lines_of_a_dump(tmp_path: Path):
    listen = {"user_id": 3, "track_metadata": {"artist_name": "Low"}}
    (tmp_path / "5.listens").write_text(f"{json.dumps(listen)}\nhalf a li\n")
    args = ["dataset", "listenbrainz", tmp_path, "--out", tmp_path / "p.jsonl"]
    assert values(args) == {
        "dataset": "listenbrainz",
        "listeners": 1,
        "left_out": {"broken lines": 1},
    }
    assert run(args).stdout == "1 listeners\nleft out: 1 broken lines\n"


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["hetrek", ".", "--out", "p"], "unknown data set 'hetrek'; choose from hetrec, germany"),
        (["hetrec", ".", "--out", "p"], "artists.dat of the data set hetrec2011-lastfm-2k is not"),
        (["germany", ".", "--tags", "t"], "only hetrec has tags"),
        (["hetrec", "."], "give --out, --content or --tags"),
        (["hetrec", ".", "--out", "p", "--modern"], "give --content too"),
    ],
)
def test_dataset_refuses_wrong_arguments(
    args: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert line in refusal(["dataset", *args])
    assert list(tmp_path.iterdir()) == []


def test_train_writes_a_model_that_embeds(world: Path, tmp_path: Path):
    content, tags = tmp_path / "content.jsonl", tmp_path / "tags.jsonl"
    content.write_text('{"name": "g0 a0", "genres": ["rock"], "popularity": 50}\n')
    tags.write_text('{"listener": "0", "artist": "g0 a0", "tag": "rock"}\n')
    out = tmp_path / "model"
    args = ["train", world / "listeners.jsonl", "--out", out, "--steps", 2, "--seed", 3]
    document = values([*args, "--content", content, "--tags", tags])
    assert document["listeners"] == LISTENERS and document["out"] == str(out)
    embedder = Embedder.load(out)
    assert (
        embedder.version == document["version"] and len(embedder.catalogue) == document["artists"]
    )
    assert document["about"]["training"]["seed"] == 3
    assert list(tmp_path.glob("model.*")) == []  # no checkpoint is left


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("", "p.jsonl: no listener in it"),
        ('{"v": 1, "id": "a"}\n', "p.jsonl, line 1"),
        ('{"v": 1, "id": "a", "artists": [{"name": "Low"}]}\n', "only 0 of 1 profiles"),
    ],
)
def test_train_refuses_unusable_listeners(lines: str, line: str, tmp_path: Path):
    (tmp_path / "p.jsonl").write_text(lines)
    assert line in refusal(["train", tmp_path / "p.jsonl", "--out", tmp_path / "model"])


def test_train_names_the_line_of_bad_content(world: Path, tmp_path: Path):
    (tmp_path / "content.jsonl").write_text('{"name": "Low", "popularity": 500}\n')
    args = ["train", world / "listeners.jsonl", "--out", tmp_path / "model", "--content"]
    message = refusal([*args, tmp_path / "content.jsonl"])
    assert "content.jsonl line 1: popularity must be a number from 0 to 100" in message


def test_train_never_replaces_a_folder_of_other_files(world: Path, tmp_path: Path):
    (tmp_path / "letters.txt").write_text("dear")
    message = refusal(["train", world / "listeners.jsonl", "--out", tmp_path])
    assert "has other files than a model" in message
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_embed_writes_unit_vectors_in_the_order_of_the_lines(world: Path, tmp_path: Path):
    unknown = '{"v": 1, "id": "x", "artists": [{"name": "g0 a0", "plays": 3}, {"name": "Nobody"}]}'
    (tmp_path / "more.jsonl").write_text(unknown + "\n")
    files = [world / "listeners.jsonl", tmp_path / "more.jsonl"]
    vectors = {}
    for tower in ("user", "candidate"):
        out = tmp_path / f"{tower}.npz"
        args = ["embed", *files, "--tower", tower, "--out", out, "--model"]
        document = values([*args, world / "assets" / "model"])
        assert (document["listeners"], document["dim"], document["tower"]) == (
            LISTENERS + 1,
            64,
            tower,
        )
        with np.load(out, allow_pickle=False) as arrays:
            assert arrays["ids"].tolist() == [*map(str, range(LISTENERS)), "x"]
            assert arrays["coverage"][-1] == pytest.approx(0.75)  # 3 of 4 plays
            assert arrays["known_from_listening"][-1] == pytest.approx(0.75)
            for name in ("coverage", "known_from_listening", "confidence"):
                assert document[name] == pytest.approx(arrays[name].mean(), abs=1e-6)
            assert arrays["confidence"][-1] < arrays["confidence"][:-1].min()  # one artist
            vectors[tower] = arrays["vectors"]
        assert vectors[tower].dtype == np.float32 and vectors[tower].shape == (LISTENERS + 1, 64)
        assert np.linalg.norm(vectors[tower], axis=1) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(vectors["user"], vectors["candidate"])


def test_embed_refuses_an_unknown_tower_and_a_folder_without_a_model(world: Path, tmp_path: Path):
    args = ["embed", world / "listeners.jsonl", "--out", tmp_path / "v.npz", "--tower"]
    assert "'user', 'candidate'" in refusal([*args, "leaning"])
    assert "no model in" in refusal([*args, "user", "--model", tmp_path])


def test_parts_embedded_separately_join_to_the_same_file(world: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sharding, "BLOCK", 100)
    usual = ["--tower", "user", "--model", world / "assets" / "model", "--out"]
    call = ["embed", world / "listeners.jsonl", *usual]
    values([*call, tmp_path / "whole.npz"])
    parts = [tmp_path / f"{number}.npz" for number in range(3)]
    for number, part in enumerate(parts):
        document = values([*call, part, "--shard", f"{number}/3"])
        assert document["shard"] == f"{number}/3" and 0 < document["listeners"] < LISTENERS
    document = values(["embed-join", *parts, "--out", tmp_path / "joined.npz"])
    assert document["listeners"] == LISTENERS and "shard" not in document
    assert (tmp_path / "joined.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert "'3/3' is not a shard" in refusal([*call, parts[0], "--shard", "3/3"])
    (tmp_path / "none.jsonl").write_text("")
    assert "no listener in it" in refusal(["embed", tmp_path / "none.jsonl", *usual, parts[0]])


def test_calibrate_stores_the_curve_with_the_model(world: Path, env, tmp_path: Path, monkeypatch):
    shutil.copytree(world / "assets" / "model", tmp_path / "model")
    asked = {}

    def fit(data, **options):
        asked.update(options, data=data)
        return ConfidenceCurve((0.0, 2.0), (0.25, 0.5))

    monkeypatch.setattr("twotower.evaluation.calibrate.calibrate", fit)
    args = ["calibrate", "--model", tmp_path / "model", "--split", 2, "--seed", 7]
    document = values([*args, "--data", tmp_path])
    assert document["knots"] == [[0.0, 0.25], [2.0, 0.5]]
    assert asked["splits"] == (2,) and asked["seed"] == 7 and asked["data"] == tmp_path
    args = ["embed", world / "listeners.jsonl", "--tower", "user", "--out", tmp_path / "v.npz"]
    assert 0.25 < values([*args, "--model", tmp_path / "model"])["confidence"] <= 0.5
    assert "no model in" in refusal(["calibrate", "--model", tmp_path / "none"], env)


def test_a_damaged_model_is_named(world: Path, tmp_path: Path):
    model = tmp_path / "model"
    model.mkdir()
    for file in (world / "assets" / "model").iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    weights = bytearray((model / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (model / "weights.safetensors").write_bytes(bytes(weights))
    args = ["embed", world / "listeners.jsonl", "--out", tmp_path / "v.npz", "--tower", "user"]
    assert "weights.safetensors in model is damaged" in refusal([*args, "--model", model])
    assert not (tmp_path / "v.npz").exists()


def test_neighbours_are_from_the_same_group(world: Path, env: dict[str, str]):
    document = values(["neighbours", world / "someone.jsonl", "--top", 3], env)
    assert document.keys() == {
        "recognised",
        "known_from_listening",
        "confidence",
        "confidence_word",
        "evidence",
        "settled",
        "dim",
        "neighbours",
    }
    assert document["known_from_listening"] == 1.0 and 0.5 < document["confidence"] < 1
    assert document["confidence_word"] in ("sketch", "good")
    assert document["recognised"] == 1.0 and 1 < document["evidence"] <= 12
    assert 0 < document["settled"] < document["dim"]
    for rank, neighbour in enumerate(document["neighbours"], 1):
        assert neighbour.keys() == {
            "id",
            "name",
            "origin",
            "similarity",
            "percentile",
            "closeness",
            "rank",
            "their_rank",
            "mutual",
            "shared",
            "reasons",
        }
        total = sum(reason["contribution"] for reason in neighbour["reasons"])
        assert total == pytest.approx(neighbour["similarity"], abs=1e-5)
        assert neighbour["rank"] == rank and neighbour["origin"] == "invented"
        assert -1 <= neighbour["similarity"] <= 1 and 0 <= neighbour["percentile"] <= 100
        assert all(artist.startswith("g2 ") for artist in neighbour["shared"])
        assert int(neighbour["id"][1:]) % 4 == 2
    similarities = [neighbour["similarity"] for neighbour in document["neighbours"]]
    assert similarities == sorted(similarities, reverse=True)


def test_explain_takes_a_file_a_member_or_a_demo_listener(world: Path, env: dict[str, str]):
    file = world / "someone.jsonl"
    nearest = values(["neighbours", file, "--top", 1], env)["neighbours"][0]
    document = values(["explain", file, nearest["id"]], env)
    assert document["other"]["name"] == nearest["name"]
    assert document["similarity"] == pytest.approx(nearest["similarity"], abs=1e-5)
    assert (document["rank"], document["their_rank"]) == (1, nearest["their_rank"])
    for name in ("reasons", "reasons_of_one", "reasons_of_other", "genres", "decades"):
        total = sum(reason["contribution"] for reason in document[name])
        assert total == pytest.approx(document["similarity"], abs=1e-5), name
    turned = values(["explain", nearest["id"], file], env)
    assert turned["similarity"] == pytest.approx(document["similarity"], abs=1e-5)
    lines = run(["explain", file, nearest["id"]], env).stdout.splitlines()
    assert "is number 1 on the list of" in lines[2] and lines[-1].endswith("sum")


def test_explain_says_what_to_give_for_somebody_unknown(world: Path, env: dict[str, str]):
    message = refusal(["explain", world / "someone.jsonl", "nobody"], env)
    assert message.startswith("error: nobody: no file, and nobody in the community; give a file")
    assert "the model knows none of the" in refusal(
        ["explain", world / "someone.jsonl", "metal"], env
    )


def test_neighbours_marks_made_up_listeners(world: Path, env: dict[str, str]):
    result = run(["neighbours", world / "someone.jsonl", "--top", 2], env)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("100% of the plays are by known artists; ")
    assert lines[0].endswith(" of 64 dimensions")
    assert len(lines) == 3 and all("(made up)" in line for line in lines[1:])


def test_neighbours_of_an_unknown_artist_says_what_would_help(tmp_path: Path, env: dict[str, str]):
    (tmp_path / "p.csv").write_text("artist,track\n東京の誰か,歌\n", encoding="utf-8")
    result = run(["neighbours", tmp_path / "p.csv", "--json"], env)
    if result.exit_code == 2:  # a name alone may say something to a model, or nothing
        assert "the model knows none of the" in result.stderr
    else:
        assert json.loads(result.stdout)["recognised"] == 0


def test_without_assets_the_line_says_how_to_get_them(world: Path, env: dict[str, str]):
    message = refusal(
        ["neighbours", world / "someone.jsonl"], {**env, "TWOTOWER_ASSETS": str(world / "none")}
    )
    assert "no model in" in message


def test_map_place_prints_finite_coordinates(world: Path, env: dict[str, str]):
    document = values(["map", "place", world / "someone.jsonl"], env)
    assert document["id"] == "me"
    assert np.isfinite([document["x"], document["y"]]).all()


def test_map_fit_lays_out_vectors(world: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(projection, "fit_map", quick_map)  # umap takes ten seconds
    model = world / "assets" / "model"
    vectors, out = tmp_path / "v.npz", tmp_path / "map.npz"
    args = ["embed", world / "listeners.jsonl", "--tower", "candidate", "--out", vectors]
    values([*args, "--model", model])
    document = values(["map", "fit", vectors, "--out", out])
    assert document["listeners"] == LISTENERS and 0 < document["reliability"] <= 1
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["ids"].tolist() == [*map(str, range(LISTENERS))]
        assert arrays["places"].shape == (LISTENERS, 2) and np.isfinite(arrays["places"]).all()
        assert arrays["reliability"].mean() == pytest.approx(document["reliability"])


def test_map_fit_refuses_other_files(tmp_path: Path):
    (tmp_path / "v.npz").write_bytes(b"no vectors")
    message = refusal(["map", "fit", tmp_path / "v.npz", "--out", tmp_path / "map.npz"])
    assert "`embed` writes such a file" in message


def test_evaluate_uses_only_listeners_unseen_by_the_model(world: Path, tmp_path: Path):
    listeners = list(read_profiles(world / "listeners.jsonl"))
    hetrec_files(tmp_path / "data" / FOLDERS["hetrec"], listeners)
    model, out = world / "assets" / "model", tmp_path / "quality.json"
    unseen = [p for p in listeners if hashed_id(p) not in set(Embedder.load(model).trained_on)]
    assert len(unseen) == UNSEEN
    args = ["evaluate", "--model", model, "--data", tmp_path / "data", "--check", "halves"]
    document = values([*args, "--out", out])
    assert document["header"]["part"] == "unseen by the model"
    rows = [row for row in document["rows"] if row["check"] == "halves" and row["metric"] == "MRR"]
    assert len(rows) > 1 and {row["listeners"] for row in rows} == {UNSEEN}
    assert "two towers" in {row["method"] for row in rows}
    assert json.loads(out.read_text()) == document


def test_calibration_is_measured_and_its_band_is_used(
    world: Path, tmp_path: Path, env: dict[str, str]
):
    hetrec_files(tmp_path / "data" / FOLDERS["hetrec"], people(LISTENERS, 12))
    assets = shutil.copytree(world / "assets", tmp_path / "assets")
    env |= {"TWOTOWER_ASSETS": str(assets)}
    args = ["evaluate", "--model", assets / "model", "--data", tmp_path / "data"]
    document = values([*args, "--check", "calibration", "--band", assets], env)
    rows = {(row["check"], row["metric"]): row for row in document["rows"]}
    row = rows["calibration, hetrec, random 5", "coverage of ten shown"]
    assert row["listeners"] == UNSEEN and 0 < row["value"] <= 1
    hidden = json.loads((assets / "band.json").read_text())["hidden"]
    nearest = values(["neighbours", world / "someone.jsonl", "--top", 1], env)
    shown = 1 <= nearest["settled"] <= 5.2 and not any(
        low <= nearest["settled"] < high for low, high in hidden
    )
    assert ("low" in nearest["neighbours"][0]) == shown


def test_calibration_runs_alone(tmp_path: Path):
    both = ["evaluate", "--check", "calibration", "--check", "halves"]
    assert "calibration runs alone" in refusal(both)
    band = ["--band", tmp_path]
    assert "--band goes with --check calibration alone" in refusal(["evaluate", *band])
    assert "is no folder" in refusal([*both[:3], "--band", tmp_path / "none"])


def test_evaluate_refuses_unknown_checks_and_missing_data(env: dict[str, str]):
    assert "unknown task quarters; choose from halves" in refusal(
        ["evaluate", "--check", "quarters"]
    )
    assert "docs/data.md" in refusal(["evaluate"], env)


def test_a_written_report_passes_evaluate_quick(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    untrained = (TOWERS, SECOND_REFERENCE.label, REFERENCE.label)
    fits = {name: FITS[name] for name in untrained} | BASELINES
    monkeypatch.setattr(twotower.evaluation.runner, "compared_methods", lambda towers: fits)
    data, assets = tmp_path / "data", tmp_path / "assets"
    hetrec_files(data / FOLDERS["hetrec"], people(LISTENERS, 12))
    args = ["evaluate", "--data", data, "--check", "halves", "--split", 0]
    values([*args, "--out", tmp_path / "other.json"])
    assert not (tmp_path / "halves.npz").exists()
    written = values([*args, "--out", assets / "quality.json"])
    assert json.loads((assets / "quality.json").read_text()) == written
    document = values(["evaluate", "--quick"], env | {"TWOTOWER_ASSETS": str(assets)})
    assert document["same"]
    ranked = {figure["method"] for figure in document["figures"] if figure["way"] == "ranked"}
    assert ranked > {TOWERS, SECOND_REFERENCE.label}
    assert len({name.removesuffix(" + LS") for name in ranked}) == 3


def test_evaluate_quick_finds_a_changed_figure(
    judged_assets: Path, tmp_path: Path, env: dict[str, str]
):
    assets = shutil.copytree(judged_assets, tmp_path / "assets")
    env |= {"TWOTOWER_ASSETS": str(assets)}
    document = values(["evaluate", "--quick"], env)
    assert document["same"] and document["added up"] > 0
    assert {figure["verdict"] for figure in document["figures"]} == {"same"}
    report = json.loads((assets / "quality.json").read_text())
    report["rows"][0]["value"] += 0.1
    (assets / "quality.json").write_text(json.dumps(report))
    result = run(["evaluate", "--quick"], env)
    assert result.exit_code == 1
    assert "differs: halves, two towers, split 0: MRR" in result.stdout
    assert result.stderr.endswith("metrics differ from the report.\n")
    document = json.loads(run(["evaluate", "--quick", "--json"], env).stdout)
    assert not document["same"]
    (assets / "halves.npz").write_bytes(b"")
    assert "changed or damaged" in refusal(["evaluate", "--quick"], env)


@pytest.mark.parametrize("flag", [["--out", "f"], ["--check", "halves"], ["--split", 0]])
def test_evaluate_quick_refuses_options_of_a_full_evaluation(flag: list[object]):
    assert "--quick goes with --data and --json alone" in refusal(["evaluate", "--quick", *flag])


def test_assets_refuses_a_data_folder_that_is_not_there(tmp_path: Path, env: dict[str, str]):
    message = refusal(["assets", "--out", tmp_path / "assets"], env)
    assert "docs/data.md says what it must contain" in message
    assert not (tmp_path / "assets").exists()


def start(args: Sequence[object], env: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "twotower", *map(str, args)],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_process_ends_with_the_right_exit_code(world: Path, tmp_path: Path, env: dict[str, str]):
    good = start(["neighbours", world / "someone.jsonl", "--top", 1, "--json"], env)
    out, _ = good.communicate(timeout=120)
    assert good.returncode == 0 and len(json.loads(out)["neighbours"]) == 1
    for args in (["neighbours", tmp_path], ["nothing"], ["embed", "x", "--tower"]):
        bad = start(args, env)
        out, message = bad.communicate(timeout=120)
        assert bad.returncode == 2 and out == ""
        assert message.startswith("error: ") and message.count("\n") == 1, message


def test_ctrl_c_ends_training_with_one_word_and_no_model(world: Path, tmp_path: Path):
    out = tmp_path / "model"
    # A job in the background ignores SIGINT, and its children inherit that.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        training = start(["train", world / "listeners.jsonl", "--out", out, "--steps", 100_000], {})
    finally:
        signal.signal(signal.SIGINT, previous)
    assert training.stderr is not None
    assert "%" in training.stderr.readline()  # training has begun
    training.send_signal(signal.SIGINT)
    _, message = training.communicate(timeout=120)
    assert training.returncode == 130
    assert message.splitlines()[-1] == "stopped" and "Traceback" not in message
    assert not out.exists()


USER_FILES = sorted((Settings.from_env().data / "spotify-user-exports").glob("*/*"))


@pytest.mark.skipif(not USER_FILES, reason="no spotify-user-exports in the data folder")
@pytest.mark.skipif(
    not (ROOT / "assets" / "model" / "config.json").exists(), reason="no shipped model"
)
@pytest.mark.parametrize("file", USER_FILES, ids=lambda file: file.name)
def test_real_files_get_ten_neighbours(file: Path, tmp_path: Path):
    env = {"TWOTOWER_COMMUNITY": f"sqlite:///{tmp_path / 'community.sqlite'}"}
    if "podcast" in file.name:
        assert "no music in it" in refusal(["neighbours", file], env)
        return
    document = values(["neighbours", file, "--top", 10], env)
    assert 0 < document["recognised"] <= 1
    assert len({neighbour["id"] for neighbour in document["neighbours"]}) == 10
    assert [neighbour["rank"] for neighbour in document["neighbours"]] == list(range(1, 11))
