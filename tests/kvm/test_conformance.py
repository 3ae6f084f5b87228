"""The conformance kit against a real libvirtd: `Stack` over its unix socket, HTTP over tcp with SASL."""

from pathlib import Path

import pytest

from simplestack.identity.accounts import hash_password
from simplestack.plugins.discovery import load_hypervisors
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


#: libvirt's filter of a locked interface knows IPv4 and ARP only.
_NO_IPV6 = (
    "kvm does not support this call of network_interface_update: `ipv6_allowed`: "
    "locked interfaces have no IPv6 on this hypervisor: use `ipv4_allowed` alone"
)


@pytest.fixture
def required(
    libvirtd: Libvirtd, guest_volume: str, iso_volume: str, other_network: str, trunk: str
) -> list[str]:
    """Give the options that the kit needs for the plugin's operations."""
    networks = ["--network", libvirtd.network, "--other-network", other_network, "--trunk", trunk]
    return ["--username", libvirtd.username, "--image", guest_volume, "--iso", iso_volume, *networks]


@pytest.mark.parametrize(("transport", "way"), [("unix", "stack"), ("tcp", "http")], ids=["unix", "tcp"])
def test_kvm_passes_the_kit_for_all_that_it_implements(
    libvirtd: Libvirtd, required: list[str], tmp_path: Path, transport: str, way: str
) -> None:
    hosts = {"unix": "localhost", "tcp": f"127.0.0.1:{libvirtd.tcp_port}"}
    done = run_kit(
        tmp_path,
        *("--hypervisor", "kvm", "--host", hosts[transport]),
        *required,
        config=SETTINGS.format(
            user=libvirtd.username, hashed=hash_password(libvirtd.password), socket=libvirtd.socket
        ),
        environment={"SIMPLESTACK_KIT_PASSWORD": libvirtd.password},
        ways=(way,),
    )
    assert done.status == 0, done.output
    assert "the target is as before" in done.output
    assert done.skips == [_NO_IPV6]
    assert {said for row in done.table.values() for said in row if "failed" in said} == set()
    (kvm,) = (found for found in load_hypervisors(["kvm"])[0] if found.name == "kvm")
    passed = {name for name, row in done.table.items() if all("passed" in said for said in row)}
    assert passed == set(kvm.operations)
