"""An uploaded file never reaches the disk."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from serving import serving
from starlette.applications import Starlette
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from twotower.web.upload_memory import keep_uploads_in_memory

ROOT = Path(__file__).resolve().parents[2]


async def where_it_lies(request: Request) -> PlainTextResponse:
    """Answer "disk" if the uploaded file was moved to a temporary file, else "memory"."""
    async with request.form() as form:
        return PlainTextResponse("disk" if form["file"].file._rolled else "memory")


@pytest.fixture
def upload(monkeypatch):
    """upload(megabytes) sends a file of that size and returns where the server holds it."""
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MultiPartParser.spool_max_size)
    app = Starlette(routes=[Route("/", where_it_lies, methods=["POST"])])
    with serving(app) as address:
        yield lambda size: requests.post(address, files={"file": b"x" * (size << 20)}).text


def test_a_file_within_the_limit_stays_in_memory(upload):
    assert upload(3) == "disk", "Starlette's own rule, which is why ours is needed"
    keep_uploads_in_memory(3)
    assert upload(3) == "memory"


def test_the_app_holds_every_upload_that_it_accepts_in_memory():
    program = (
        "import streamlit as st, app\n"
        "from starlette.formparsers import MultiPartParser\n"
        "assert MultiPartParser.spool_max_size > st.get_option('server.maxUploadSize') << 20\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
