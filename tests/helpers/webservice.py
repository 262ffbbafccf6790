"""A real web server on this machine that answers as a test tells it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request, as it came in."""

    path: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass
class Said:
    """What to answer. `body` is JSON, or bytes as they stand; `drip_s` lies between its bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    hang_up: bool = False  # in the middle of the answer


@dataclass
class Service:
    address: str
    asked: list[Asked]


@contextmanager
def service(answer: Callable[[Asked], Said]) -> Iterator[Service]:
    """A server whose answers are those of `answer`; it keeps what it was asked."""
    asked: list[Asked] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            one = Asked(parts.path, dict(parse_qsl(parts.query)), dict(self.headers))
            asked.append(one)
            said = answer(one)
            raw = said.body if isinstance(said.body, bytes) else _json(said.body)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if said.status != 204:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            if said.hang_up:
                self.wfile.write(raw[: len(raw) // 2])
                self.close_connection = True
            elif said.drip_s:
                self._drip(raw, said.drip_s)
            else:
                self.wfile.write(raw)

        def _drip(self, raw: bytes, between_s: float) -> None:
            try:
                for byte in raw:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if ended.wait(between_s):
                        break
            except OSError:
                pass  # nobody listens any more
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Service(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.waited: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.waited.append(seconds)


class Running(Clock):
    """Time that also passes by itself, a thousand times as fast."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def now(self) -> float:
        return self.at + 1000 * (time.monotonic() - self._began)
