"""What clients read of wrong requests to a real libvirtd, in the words of all hypervisors."""

from collections.abc import Iterator

import pytest

from simplestack.identity.accounts import hash_password
from support.service import running_service
from support.wrong_requests import WrongHost, WrongRequest, wrong_host, wrong_requests

from .counterparts.libvirtd import Libvirtd


@pytest.fixture(scope="module")
def host(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WrongHost]:
    config = (
        f"[hypervisors.kvm]\ntransport = 'unix'\nsocket = '{libvirtd.socket}'\n"
        f"[hypervisors.kvm.accounts]\nadmin = '{hash_password('secret')}'\n"
    )
    with (
        running_service(tmp_path_factory.mktemp("kvm"), config) as service,
        wrong_host(service, "/kvm/localhost") as made,
    ):
        yield made


@pytest.mark.parametrize("wrong", wrong_requests("kvm"), ids=str)
def test_a_wrong_request_has_the_error_that_it_has_on_every_hypervisor(
    host: WrongHost, wrong: WrongRequest
) -> None:
    assert host.error_of(wrong) == (wrong.status, wrong.error, host.filled(wrong.message))
