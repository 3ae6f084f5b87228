"""The conformance kit against a real libvirtd: over its unix socket, and over tcp with SASL."""

from pathlib import Path

import pytest

from simplestack.sessions.accounts import hash_password
from support.conformance import run_kit

from .counterparts.libvirtd import Libvirtd

SETTINGS = """
[hypervisors.kvm]
allowed_hosts = ["localhost", "127.0.0.1"]
[hypervisors.kvm.accounts]
{user} = '{hashed}'
[hypervisors.kvm.hosts.localhost]
transport = "unix"
socket = "{socket}"
[hypervisors.kvm.hosts."127.0.0.1"]
transport = "tcp"
"""


@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_kvm_passes_the_kit_for_all_that_it_implements(
    libvirtd: Libvirtd, guest_volume: str, tmp_path: Path, transport: str
) -> None:
    hosts = {"unix": "localhost", "tcp": f"127.0.0.1:{libvirtd.tcp_port}"}
    done = run_kit(
        tmp_path,
        *("--hypervisor", "kvm", "--host", hosts[transport]),
        *("--username", libvirtd.username, "--image", guest_volume),
        config=SETTINGS.format(
            user=libvirtd.username, hashed=hash_password(libvirtd.password), socket=libvirtd.socket
        ),
        environment={"SIMPLESTACK_KIT_PASSWORD": libvirtd.password},
    )
    assert done.status == 0, done.output
    assert "the target is as before" in done.output
    assert all(reason.startswith("kvm does not implement ") for reason in done.skips), done.skips
    assert {way for ways in done.table.values() for way in ways if "failed" in way} == set()
