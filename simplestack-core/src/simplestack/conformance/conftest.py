"""Fixtures of the kit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.command_line import USAGE
from simplestack.conformance.coverage import WAYS
from simplestack.conformance.http_client import HttpClient
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import MARKER
from simplestack.conformance.report import KitReport


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the kit's tests."""
    config.addinivalue_line("markers", f"{MARKER}(*names): operations or hooks that a test of the kit drives")


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Check that the kit is loaded, not only its tests.

    :raises pytest.UsageError: it is not
    """
    if _report(config) is None:
        raise pytest.UsageError(USAGE)


@pytest.fixture(scope="session")
def kit(pytestconfig: pytest.Config) -> Kit:
    """Give what all tests share."""
    report = _report(pytestconfig)
    assert report is not None  # pytest_collection_modifyitems has checked it
    return report.kit


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


def _report(config: pytest.Config) -> KitReport | None:
    found = config.pluginmanager.get_plugin(KitReport.NAME)
    return found if isinstance(found, KitReport) else None
