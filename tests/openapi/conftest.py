"""A service whose document is looked at."""

from collections.abc import Iterator

import pytest

from support.service import Service, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service as it starts without any settings but the address."""
    with running_service(tmp_path_factory.mktemp("openapi")) as service:
        yield service
