"""Services that many tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.service import Service, running_service


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
