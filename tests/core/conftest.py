"""Services that many tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.service import Service, running_service

# A shell that starts tests in the background lets them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service as it starts without any settings but the address."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """An empty folder for distributions."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    return folder
