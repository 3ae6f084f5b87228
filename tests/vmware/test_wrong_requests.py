"""What clients read of wrong requests to a simulated vCenter, in the words of all hypervisors."""

from collections.abc import Iterator

import pytest

from simulators.tls import Trust
from support.service import running_service, token
from support.vsphere import PASSWORD, running_host
from support.wrong_requests import WrongHost, WrongRequest, wrong_host, wrong_requests


@pytest.fixture(scope="module")
def host(trust: Trust, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WrongHost]:
    with (
        running_host(trust) as vcenter,
        running_service(tmp_path_factory.mktemp("vmware"), vcenter.toml) as service,
    ):
        headers = {"X-Simplestack-Hypervisor-Token": token(vcenter.user, PASSWORD)}
        with wrong_host(service, f"/vmware/{vcenter.name}", headers) as made:
            yield made


@pytest.mark.parametrize("wrong", wrong_requests("vmware"), ids=str)
def test_a_wrong_request_has_the_error_that_it_has_on_every_hypervisor(
    host: WrongHost, wrong: WrongRequest
) -> None:
    assert host.error_of(wrong) == (wrong.status, wrong.error, host.filled(wrong.message))
