"""What clients read of wrong requests to the mock, in the words of all hypervisors."""

from collections.abc import Iterator

import pytest

from support.service import running_service
from support.wrong_requests import WrongHost, WrongRequest, wrong_host, wrong_requests


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WrongHost]:
    with (
        running_service(tmp_path_factory.mktemp("mock")) as service,
        wrong_host(service, "/mock/wrong") as made,
    ):
        yield made


@pytest.mark.parametrize("wrong", wrong_requests("mock"), ids=str)
def test_a_wrong_request_has_the_error_that_it_has_on_every_hypervisor(
    host: WrongHost, wrong: WrongRequest
) -> None:
    assert host.error_of(wrong) == (wrong.status, wrong.error, host.filled(wrong.message))
