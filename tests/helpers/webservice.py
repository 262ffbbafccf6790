"""A real web server on this machine with the replies of a test."""

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
class Request:
    """One request that came in."""

    path: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass
class Reply:
    """A reply. `body` is JSON or raw bytes; `drip_s` is the time between its bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    hang_up: bool = False  # in the middle of the answer


@dataclass
class Service:
    address: str
    requests: list[Request]


@contextmanager
def service(answer: Callable[[Request], Reply]) -> Iterator[Service]:
    """Run a server that replies with `answer` and records the requests."""
    requests: list[Request] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(parts.path, dict(parse_qsl(parts.query)), dict(self.headers))
            requests.append(request)
            reply = answer(request)
            raw = reply.body if isinstance(reply.body, bytes) else _json(reply.body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            if reply.hang_up:
                self.wfile.write(raw[: len(raw) // 2])
                self.close_connection = True
            elif reply.drip_s:
                self._drip(raw, reply.drip_s)
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
                pass  # the client has gone
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Service(f"http://127.0.0.1:{server.server_port}", requests)
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


class Clock:
    """Clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.waited: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.waited.append(seconds)


class Running(Clock):
    """Clock that also moves by itself, a thousand times as fast as time."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def now(self) -> float:
        return self.at + 1000 * (time.monotonic() - self._began)
