"""Uploads are refused when a visitor, or all together, have no room left."""

import asyncio

import pytest
from coroutines import run_coroutine

from twotower.web.upload_limits import MEGABYTE, SERVER_SHARE, UploadLimits

ADDRESS = "/_stcore/upload_file/{}/file"


async def _app(scope, receive, send):
    """Read the whole body, as Streamlit does, and answer 204."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def put(limits: UploadLimits, session: str, sizes: list[int], *, declared: bool = False):
    """Send a body in pieces of these sizes; return (status, number of pieces that were read)."""
    return run_coroutine(_put(limits, session, sizes, declared=declared))


async def _put(limits, session, sizes, *, declared=False, between=None):
    pieces, statuses = iter(sizes), []

    async def receive():
        if between is not None:
            await between()
        size = next(pieces, None)
        if size is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": bytes(size), "more_body": True}

    async def send(message):
        statuses.append(message.get("status"))

    headers = [(b"content-length", str(sum(sizes)).encode())] if declared else []
    scope = {"type": "http", "method": "PUT", "path": ADDRESS.format(session), "headers": headers}
    await limits(scope, receive, send)
    return statuses[0], len(sizes) - len(list(pieces))


@pytest.fixture
def stored_sizes() -> dict[str, int]:
    """Bytes of the files that the server has, by session."""
    return {}


@pytest.fixture
def limits(stored_sizes) -> UploadLimits:
    return UploadLimits(_app, lambda: stored_sizes, lambda: 2)


def test_a_visitor_has_room_for_one_full_upload(limits, stored_sizes):
    assert put(limits, "one", [MEGABYTE, MEGABYTE]) == (204, 2)
    stored_sizes["one"] = MEGABYTE
    assert put(limits, "one", [MEGABYTE]) == (204, 1)
    stored_sizes["one"] = 2 * MEGABYTE
    assert put(limits, "one", [1]) == (413, 1)
    assert put(limits, "two", [MEGABYTE]) == (204, 1)


def test_an_upload_that_says_its_size_is_refused_before_any_of_it_is_read(limits, stored_sizes):
    stored_sizes["one"] = MEGABYTE
    assert put(limits, "one", [MEGABYTE, 1], declared=True) == (413, 0)


def test_an_upload_that_hides_its_size_stops_at_the_limit(limits):
    assert put(limits, "one", [MEGABYTE] * 100) == (413, 3)
    assert put(limits, "one", [MEGABYTE]) == (204, 1), "what was refused takes no room"


def test_uploads_at_the_same_time_count_together(limits):
    async def both():
        async def wait():
            await asyncio.sleep(0)

        return await asyncio.gather(
            *(_put(limits, "one", [MEGABYTE] * 2, between=wait) for _ in range(2))
        )

    statuses = sorted(status for status, _ in run_coroutine(both()))
    assert statuses[-1] == 413


def test_all_visitors_together_have_a_limit_too(limits, stored_sizes):
    stored_sizes.update({f"v{n}": 2 * MEGABYTE for n in range(SERVER_SHARE)})
    assert put(limits, "another", [1]) == (503, 1)
    del stored_sizes["v0"]
    assert put(limits, "another", [MEGABYTE]) == (204, 1)
