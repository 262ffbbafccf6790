"""The real server, started as an operator does, without a model: it runs no page."""

import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from serving import free_port

ROOT = Path(__file__).resolve().parents[2]
PROXIED, LISTED = "music.example", "https://portal.example"


class Outside:
    """A web proxy that answers nothing and notes what the server asks the outside."""

    def __init__(self) -> None:
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_error(502)

            do_CONNECT = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def live_app(folder: Path, outside: Outside) -> Iterator[int]:
    """Start `streamlit run app.py` without a model, and yield its port.

    A proxy reaches it as music.example. It reaches the outside only through `outside`.
    """
    number = free_port()
    env = {key: value for key, value in os.environ.items() if not key.startswith("SPOTIPY")}
    env |= {
        "TWOTOWER_COMMUNITY": f"sqlite:///{folder / 'community.sqlite'}",
        "TWOTOWER_ASSETS": str(folder),  # no model: no page is run
        "OMP_NUM_THREADS": "1",
        **dict.fromkeys(
            ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), outside.address
        ),
    }
    hosts = [f"--server.allowedHosts={host}" for host in ("127.0.0.1", "localhost", PROXIED)]
    options = [f"--server.port={number}", *hosts, f"--server.corsAllowedOrigins={LISTED}"]
    log = folder / "log.txt"
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options],
            cwd=ROOT,
            env=env,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + 60
        while "URL:" not in log.read_text():
            if server.poll() is not None or time.monotonic() > until:
                pytest.fail(f"the server didn't start: {log.read_text()}")
            time.sleep(0.1)
        yield number
    finally:
        server.terminate()
        server.wait(20)
