"""What clients read of wrong requests to a simulated pool, in the words of all hypervisors."""

from collections.abc import Iterator
from pathlib import Path

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


def test_a_storage_that_a_setting_names_and_is_not_there_is_404_with_the_setting(
    trust: Trust, tmp_path: Path
) -> None:
    headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
    with (
        running_pool(trust) as pool,
        running_service(tmp_path, f'{pool.toml}default_storage = "gone"\n') as service,
    ):
        wanted = {"name": "new", "memory": 256, "disks": [{"size": 1}]}
        response = service.post(f"/xen/{pool.host}/guests", wanted, headers=headers)
    assert response.status == 404
    assert response.json["message"] == (
        "Storage:gone not found: the setting `default_storage` of this service names it; ask its operator to "
        "change it"
    )
