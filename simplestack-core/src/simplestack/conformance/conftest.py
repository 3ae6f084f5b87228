"""Fixtures of the kit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.coverage import WAYS
from simplestack.conformance.http_client import HttpClient
from simplestack.conformance.kit import Kit


@pytest.fixture(scope="session")
def kit(pytestconfig: pytest.Config) -> Kit:
    """Give what all tests share."""
    report = pytestconfig.pluginmanager.get_plugin("simplestack-kit-report")
    if report is None:
        raise pytest.UsageError(
            "start the kit with: pytest --pyargs simplestack.conformance --hypervisor NAME"
        )
    found: Kit = report.kit
    return found


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Give the name of a way in, one after the other."""
    return str(request.param)


@pytest.fixture
def client(kit: Kit, way: str) -> Client:
    """Give a way in: each test that asks for it runs once for each."""
    return kit.client(way)


@pytest.fixture
def http(kit: Kit) -> HttpClient:
    """Give the way in through HTTP, to tests of what only it has."""
    return kit.http


@pytest.fixture(autouse=True)
def _guests_removed(kit: Kit) -> Iterator[None]:
    """Remove the guests that a test makes, also when it fails."""
    before = set(kit.guests)
    yield
    left = kit.clean(keep=before)
    assert not left, "; ".join(left)


@pytest.fixture
def guest(kit: Kit, client: Client) -> Any:
    """Give a stopped guest of the test's own, with one disk and no operating system."""
    return kit.make(client)


@pytest.fixture
def other_guest(kit: Kit, client: Client) -> Any:
    """Give another one."""
    return kit.make(client)


@pytest.fixture
def machine(kit: Kit, client: Client) -> Iterator[Any]:
    """Give a stopped guest that may be started: of the test's own, else the one that ``--guest`` names."""
    if kit.has("guest_create"):
        yield kit.make(client)
        return
    if kit.options.guest is None:
        pytest.skip(f"{kit.hypervisor} does not implement guest_create")
    kit.needs("guest_info")
    state = client.do("guest_info", kit.options.guest)["state"]
    kit.bring(client, kit.options.guest, "STOPPED")
    yield client.do("guest_info", kit.options.guest)
    kit.bring(kit.stack, kit.options.guest, state)


@pytest.fixture(scope="session")
def image_file(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an image that can be imported."""
    return kit.image_file(tmp_path_factory.mktemp("kit"))
