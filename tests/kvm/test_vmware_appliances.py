"""Guests that move between KVM and VMware: exports of one plugin that the other one imports."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from simplestack import MIB, Credentials, GuestCreate, GuestImport, InvalidArguments
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_vmware.hooks.guests_export import guest_export as export_from_vmware
from simplestack_vmware.session import connect, disconnect
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.tls import make_trust
from support.vsphere import PASSWORD, Host, running_host, running_leases
from vmware.test_nvram import give_uefi
from vmware.transfers import fill, random_disk, received, unpacked
from vmware.uploads import contents
from vmware.uploads import load as load_into_vmware

from .appliances import FIRST, assert_disks, image
from .counterparts.libvirtd import Libvirtd
from .exports import exported
from .host_state import host_state
from .image_guests import Pool, refresh
from .uploads import load


class VMware(NamedTuple):
    """A simulated vCenter, and a session on it."""

    host: Host
    session: VmwareSession


@pytest.fixture
def vmware(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VMware]:
    trust = make_trust(tmp_path_factory.mktemp("vcenter"))
    with running_host(trust) as host, running_leases(host, trust):
        session = connect(host.target, Credentials(host.user, PASSWORD), host.settings())
        yield VMware(host, session)
        disconnect(session)


def test_a_guest_of_vmware_is_imported_with_its_disks(
    session: KvmSession, libvirtd: Libvirtd, vmware: VMware, tmp_path: Path, warnings: list[str]
) -> None:
    first, second = os.urandom(20 * MIB), random_disk()
    fill(vmware.host, "vm-1/vm-1.vmdk", first)
    fill(vmware.host, "vm-1/vm-1_1.vmdk", second)
    give_uefi(vmware.host)
    archive = received(export_from_vmware(vmware.session, "vm-1"))
    moved = unpacked(archive)
    chunks = [name for name in moved.names if name.startswith("disk-1.vmdk.")]
    assert len(chunks) > 1
    before = host_state(session.connection, libvirtd)
    networks = [libvirtd.network for _ in moved.appliance.interfaces]
    wanted = GuestImport(name=f"moved-{uuid.uuid4().hex[:8]}", network=networks)
    made = load(session, libvirtd, archive, wanted)
    assert (made.cpus, made.memory) == (moved.appliance.cpus, moved.appliance.memory_mib)
    assert guest_info(session, made.id).name == wanted.name
    assert_disks(session, made, tmp_path, first, second)
    # QEMU's firmware cannot read the variables of VMware's.
    assert any("'guest.nvram'" in warning for warning in warnings)
    guest_delete(session, made.id)
    assert host_state(session.connection, libvirtd) == before


def test_a_guest_of_kvm_moves_to_vmware_as_the_error_says(
    session: KvmSession, libvirtd: Libvirtd, vmware: VMware, pool: Pool, tmp_path: Path
) -> None:
    volume = pool.path(".qcow2")
    volume.write_bytes(image(tmp_path, FIRST))
    refresh(session, libvirtd)
    name = f"moves-{uuid.uuid4().hex[:8]}"
    made = guest_create(session, GuestCreate(name=name, memory=64, image=volume.name, storage=libvirtd.pool))
    archive = exported(session, made.id, tmp_path)
    guest_delete(session, made.id)
    with pytest.raises(InvalidArguments) as rejected:
        load_into_vmware(vmware.session, archive.path.read_bytes())
    advice = "qemu-img convert -O vmdk -o subformat=streamOptimized"
    assert advice in rejected.value.message
    assert "`?name=web&memory=1024`" in rejected.value.message
    (disk,) = archive.appliance.disks
    target = tmp_path / "disk.vmdk"
    subprocess.run([*advice.split(), archive.file(disk.href or ""), target], check=True)
    moved = load_into_vmware(vmware.session, target.read_bytes(), name="web", memory=64)
    assert contents(vmware.session, moved.id, tmp_path) == [FIRST]
