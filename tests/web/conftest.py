"""One real server for all tests of the web."""

import pytest
from live_app import Outside, live_app


@pytest.fixture(scope="package")
def outside():
    recorder = Outside()
    yield recorder
    recorder.server.shutdown()
    recorder.server.server_close()


@pytest.fixture(scope="package")
def port(outside, tmp_path_factory):
    with live_app(tmp_path_factory.mktemp("server"), outside) as number:
        yield number
