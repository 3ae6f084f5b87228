"""A service with fault injection that the tests of a module share, and a host of its own for each test."""

from collections.abc import Iterator

import pytest

from support.faults import settings
from support.service import Service, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("faults")
    text = settings(folder / "faults.sqlite3", "call_timeout_seconds = 2\ncontent_bytes = 262144\n")
    with running_service(folder / "service", text) as made:
        yield made


@pytest.fixture
def host(request: pytest.FixtureRequest) -> str:
    return f"w{abs(hash(request.node.nodeid))}"
