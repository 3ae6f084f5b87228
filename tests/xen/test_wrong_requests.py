"""What clients read of wrong requests to a simulated pool, in the words of all hypervisors."""

from collections.abc import Iterator

import pytest

from support.service import running_service, token
from support.wrong_requests import WrongHost, WrongRequest, wrong_host, wrong_requests
from support.xapi import PASSWORD, USER, Trust, running_pool


@pytest.fixture(scope="module")
def host(trust: Trust, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WrongHost]:
    headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
    with (
        running_pool(trust) as pool,
        running_service(tmp_path_factory.mktemp("xen"), pool.toml) as service,
        wrong_host(service, f"/xen/{pool.host}", headers) as made,
    ):
        yield made


@pytest.mark.parametrize("wrong", wrong_requests("xen"), ids=str)
def test_a_wrong_request_has_the_error_that_it_has_on_every_hypervisor(
    host: WrongHost, wrong: WrongRequest
) -> None:
    assert host.error_of(wrong) == (wrong.status, wrong.error, host.filled(wrong.message))
