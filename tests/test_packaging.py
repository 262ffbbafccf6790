"""The wheel: an installed program has its app and assets, and needs no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
from serving import free_port

from twotower.core.settings import ROOT

SOURCES = (
    *("twotower", "pages", "assets", ".streamlit"),
    *("app.py", "setup.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"),
)
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
PATIENCE_S = 120


def run(command: list[str], **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel from a copy: a build leaves files in its folder."""
    pytest.importorskip("setuptools", minversion="77")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy2(ROOT / name, source)
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(out)]
    run([*PIP, *build, "."], cwd=source)
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> str:
    """Return the Python of an environment with the wheel; dependencies come from this one."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    scheme = sysconfig.get_preferred_scheme("prefix")
    packages = Path(sysconfig.get_path("purelib", scheme, {"base": folder, "platbase": folder}))
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    run([*PIP, "--python", python, "install", "--no-deps", "--no-index", str(wheel)])
    # Only now: pip must not see, and replace, this project in the environment of the tests.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Return an environment without the checkout on the path, and with a community of its own."""
    own = {"PYTHONPATH", "TWOTOWER_ASSETS", "TWOTOWER_DATA", "TWOTOWER_MODELS"}
    return {
        **{name: value for name, value in os.environ.items() if name not in own},
        "TWOTOWER_COMMUNITY": f"sqlite:///{tmp_path / 'community.sqlite'}",
    }


def test_the_wheel_has_every_file_of_the_app(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {"app.py", ".streamlit/config.toml"}
    for folder in ("pages", "assets"):
        files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        expected |= {file.relative_to(ROOT).as_posix() for file in files}
    assert {f"twotower/_app/{name}" for name in expected} <= names
    packages = {p.parent.relative_to(ROOT).as_posix() for p in ROOT.glob("twotower/**/*.py")}
    assert {f"{package}/__init__.py" for package in packages} <= names


def test_an_installed_program_ranks_neighbours_and_offers_refresh(python, environment, tmp_path):
    (tmp_path / "music.csv").write_text("artist,track\nRadiohead,Creep\nPortishead,Roads\n")
    options = {"cwd": tmp_path, "env": environment}
    where = run([python, "-c", "import twotower; print(twotower.__file__)"], **options)
    assert not where.startswith(str(ROOT))
    text = run([python, "-m", "twotower", "neighbours", "music.csv", "--top", "3"], **options)
    assert len(text.splitlines()) == 4
    assert "--dry-run" in run([python, "-m", "twotower", "refresh", "--help"], **options)
    assert "--server.port" in run([python, "-m", "twotower", "app", "--help"], **options)


def test_an_installed_program_serves_the_app(python, environment, tmp_path):
    port = free_port()
    command = [python, "-m", "twotower", "app", "--server.port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        for path in ("_stcore/health", "", "login"):
            assert status(f"http://127.0.0.1:{port}/{path}", server) == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S) as response:
            assert "Content-Security-Policy" in response.headers
    finally:
        server.terminate()
        server.wait(PATIENCE_S)
    assert "Traceback" not in (tmp_path / "log").read_text()


def status(url: str, server: "subprocess.Popen[bytes]") -> int:
    """Return the HTTP status of a URL, once the server answers."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}")
