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
    config.addinivalue_line(
        "markers", f"{MARKER}(*names): operations or hooks that a test of the kit performs"
    )


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Check that the kit's plugin is loaded.

    :raises pytest.UsageError: only the tests are loaded
    """
    if _report(config) is None:
        raise pytest.UsageError(USAGE)


@pytest.fixture(scope="session")
def kit(pytestconfig: pytest.Config) -> Kit:
    """Return what all tests share."""
    report = _report(pytestconfig)
    assert report is not None  # pytest_collection_modifyitems has checked it
    return report.kit


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Run the test through Stack and through HTTP."""
    return str(request.param)


@pytest.fixture
def client(kit: Kit, way: str) -> Client:
    """Return a client for Stack or for HTTP. The test runs with both."""
    return kit.client(way)


@pytest.fixture
def http(kit: Kit) -> HttpClient:
    """Return the client for HTTP, for tests of the REST API."""
    return kit.http


@pytest.fixture(autouse=True)
def _remove_guests(kit: Kit) -> Iterator[None]:
    """Delete the guests that a test has created, also when it fails."""
    before = set(kit.guests)
    yield
    left = kit.clean(keep=before)
    assert not left, "; ".join(left)


@pytest.fixture
def guest(kit: Kit, client: Client) -> Any:
    """Return a new stopped guest with one disk and no operating system."""
    return kit.make(client)


@pytest.fixture
def other_guest(kit: Kit, client: Client) -> Any:
    """Return a second guest like `guest`."""
    return kit.make(client)


@pytest.fixture
def machine(kit: Kit, client: Client) -> Iterator[Any]:
    """Return a stopped guest to start: a new one, or the guest of ``--guest``."""
    if kit.has("guest_create"):
        yield kit.make(client)
        return
    if kit.options.guest is None:
        pytest.skip(f"{kit.hypervisor} does not implement guest_create")
    kit.require("guest_info")
    state = client.do("guest_info", kit.options.guest)["state"]
    kit.bring(client, kit.options.guest, "STOPPED")
    yield client.do("guest_info", kit.options.guest)
    kit.bring(kit.stack, kit.options.guest, state)


@pytest.fixture(scope="session")
def image_file(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with an image to import."""
    return kit.image_file(tmp_path_factory.mktemp("kit"))


def _report(config: pytest.Config) -> KitReport | None:
    report = config.pluginmanager.get_plugin(KitReport.NAME)
    return report if isinstance(report, KitReport) else None
