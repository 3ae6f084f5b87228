"""The vSphere simulator, driven by a client that nobody here wrote: Debian's govmomi."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from simulators.tls import Trust
from simulators.vsphere.server import Server
from simulators.vsphere_tests.counterparts import lacking_client
from support.golang import GOPATH, go_program

_SOURCE = Path(__file__).with_name("govmomi") / "main.go"


@pytest.fixture(scope="session")
def govmomi() -> Path:
    """Give the client, which is built once: it takes 20 seconds."""
    if shutil.which("go") is None or not (GOPATH / "src/github.com/vmware/govmomi").exists():
        lacking_client()
    return go_program("vsphere-govmomi", _SOURCE)


def test_govmomi_lists_finds_starts_and_is_told_what_is_wrong(
    govmomi: Path, server: Server, trust: Trust
) -> None:
    url = f"https://127.0.0.1:{server.port}/sdk"
    told = subprocess.run(
        [govmomi, url, trust.ca_file, "administrator@vsphere.local", "secret"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    report = json.loads(told.stdout)
    assert sorted(report.pop("vms")) == ["debian-12", "shop-db", "vm-0", "vm-1", "vm-2"]
    assert report == {
        "about": "VirtualCenter",
        "disks": 10,
        "hosts": 4,
        "found": "/DC0/vm/vm-0",
        "state": "poweredOn",
        "failure": "The attempted operation cannot be performed in the current state.",
        "path": "types.InvalidProperty",
    }
    assert server.simulator.sessions.all() == []
