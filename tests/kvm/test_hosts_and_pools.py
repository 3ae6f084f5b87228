"""The host, which is a pool by itself."""

import os
import uuid

import pytest

from simplestack import EntityNotFound
from simplestack_kvm.hooks import hosts, pools
from simplestack_kvm.libvirtd.connection.session import KvmSession

_KIB_IN_MIB = 1024


def machine_memory() -> dict[str, int]:
    """Return /proc/meminfo, in MiB."""
    with open("/proc/meminfo") as lines:  # noqa: PTH123  a file of the kernel's
        return {line.split(":")[0]: int(line.split()[1]) // _KIB_IN_MIB for line in lines}


def test_there_is_one_host_with_an_id_a_name_and_an_address(session: KvmSession) -> None:
    (host,) = hosts.host_list(session)
    assert str(uuid.UUID(host.id)) == host.id
    assert host.name == os.uname().nodename
    assert host.address == "localhost"
    assert hosts.host_info(session, host.id) == host
    assert hosts.host_info(session, host.id.upper()) == host


@pytest.mark.parametrize("host_id", ["", "localhost", "00000000-0000-4000-8000-000000000000", "\0"])
def test_defect_15_another_hosts_id_is_not_found(session: KvmSession, host_id: str) -> None:
    with pytest.raises(EntityNotFound):
        hosts.host_info(session, host_id)


def test_defect_12_the_pool_has_its_memory_in_mib(session: KvmSession) -> None:
    pool = pools.pool_info(session)
    memory = machine_memory()
    assert abs(pool.total_memory - memory["MemTotal"]) <= 1
    assert 0 < pool.used_memory < pool.total_memory
    assert pool.used_memory == pytest.approx(
        memory["MemTotal"] - memory["MemFree"] - memory["Buffers"] - memory["Cached"], abs=500
    )
    assert pool.id == pool.uuid == hosts.host_list(session)[0].id
    assert pool.master == "localhost"


def test_the_pool_tells_the_versions_of_the_software(session: KvmSession) -> None:
    info = pools.pool_info(session).software_info
    assert info["hypervisor"] == "QEMU"
    assert all(part.isdigit() for key in ("version", "libvirt") for part in info[key].split("."))
