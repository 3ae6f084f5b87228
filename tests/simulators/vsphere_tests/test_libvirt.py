"""The vSphere simulator, driven by libvirt's driver for ESXi."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from simulators.vsphere.products import ESXI
from simulators.vsphere.server import Server
from simulators.vsphere_tests.counterparts import lacking_client

Virsh = Callable[..., list[str]]
pytestmark = pytest.mark.parametrize("product", [ESXI])


@pytest.fixture
def virsh(server: Server, tmp_path: Path) -> Virsh:
    """Give `virsh(*words)`, which returns the lines that are printed."""
    program = shutil.which("virsh")
    if program is None:
        lacking_client()
    credentials = "username=root\npassword=secret\n"
    (tmp_path / "auth.conf").write_text(
        f"[credentials-own]\n{credentials}[auth-esx-127.0.0.1]\ncredentials=own\n"
    )
    url = f"esx://root@127.0.0.1:{server.port}/?no_verify=1"
    environment = {**os.environ, "LIBVIRT_AUTH_FILE": str(tmp_path / "auth.conf")}

    def run(*words: str) -> list[str]:
        done = subprocess.run(
            [program, "-q", "-c", url, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_libvirt_lists_and_starts_vms(virsh: Virsh, server: Server) -> None:
    assert [line.split()[1:] for line in virsh("list", "--all")] == [
        [f"vm-{number}", "shut", "off"] for number in range(3)
    ]
    virsh("start", "vm-0")
    assert virsh("domstate", "vm-0")[0] == "running"
    assert server.simulator.sessions.all() == []
    assert server.simulator.rejections == []


def test_libvirt_knows_the_host_its_storage_and_its_switch(virsh: Virsh) -> None:
    facts = dict(line.split(":", 1) for line in virsh("nodeinfo") if line)
    assert facts["CPU(s)"].strip() == "16"
    assert facts["Memory size"].strip() == f"{256 * 1024**2} KiB"
    assert [line.split()[0] for line in virsh("pool-list", "--all")] == ["datastore1"]
    assert [line.split()[0] for line in virsh("net-list", "--all")] == ["vSwitch0"]


def test_libvirt_reads_the_configuration_of_a_vm(virsh: Virsh) -> None:
    xml = "".join(virsh("dumpxml", "vm-0"))
    assert "<name>vm-0</name>" in xml
    assert "<memory unit='KiB'>1048576</memory>" in xml
    assert "<source file='[datastore1] vm-0/vm-0_1.vmdk'/>" in xml
    assert "<source bridge='VM Network'/>" in xml
