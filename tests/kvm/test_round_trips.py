"""Guests that are exported, deleted and imported again: equal to what they were."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from simplestack import (
    GuestCreate,
    GuestUpdate,
    NetworkInterfaceUpdate,
    NewDisk,
    NewNetworkInterface,
)
from simplestack.appliances import Appliance
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_import import guest_import
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.interfaces import network_interface_list, network_interface_update
from simplestack_kvm.hooks.power import guest_shutdown, guest_start
from simplestack_kvm.hooks.tags import tag_create, tag_list
from simplestack_kvm.libvirtd.connection.session import KvmSession
from support.lacking import lacking_packages

from .appliances import FIRST, SECOND, image
from .counterparts.libvirtd import Libvirtd
from .exports import Archive, exported, raw_content
from .host_state import host_state
from .image_guests import Pool, qemu_img, refresh
from .test_guest_life import BOOT_SECONDS, answers
from .uefi_guests import VARIABLES, uefi_guest, variables

Until = Callable[[Callable[[], bool], float, str], None]


def import_from(session: KvmSession, libvirtd: Libvirtd, archive: Archive) -> str:
    with archive.path.open("rb") as body:
        return guest_import(session, body, archive.path.stat().st_size, libvirtd.pool, None).id


def described(archive: Archive) -> Appliance:
    """Return what an export says of its guest, without what depends on how its disks were written."""
    appliance = archive.appliance
    disks = tuple(
        replace(disk, href=None, file_bytes=None, populated_bytes=None, format=None)
        for disk in appliance.disks
    )
    return replace(appliance, disks=disks)


def contents(archive: Archive) -> list[bytes]:
    return [
        raw_content(archive.file(disk.href or ""), disk.format or "qcow2") for disk in archive.appliance.disks
    ]


def test_a_guest_comes_back_as_it_was(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, tmp_path: Path, warnings: list[str]
) -> None:
    before = host_state(session.connection, libvirtd)
    volume = pool.path(".qcow2")
    volume.write_bytes(image(tmp_path, FIRST))
    refresh(session, libvirtd)
    name = f"all <of> it {uuid.uuid4().hex[:8]}"
    wanted = GuestCreate(
        name=name,
        memory=48,
        cpus=2,
        image=volume.name,
        disks=[NewDisk(size=0.01, name="data <&>"), NewDisk(size=0.02)],
        network_interfaces=[NewNetworkInterface(network=libvirtd.network) for _ in range(2)],
        storage=libvirtd.pool,
    )
    made = guest_create(session, wanted)
    first, _ = network_interface_list(session, made.id)
    changes = NetworkInterfaceUpdate(
        active=False, ratelimit=81_920_000, locking_mode="locked", ipv4_allowed=["192.0.2.7"]
    )
    network_interface_update(session, made.id, first.id, changes)
    for tag in ("blue", "a/b <&> ü"):
        tag_create(session, made.id, tag)
    shown = guest_info(session, made.id)
    disks, interfaces = disk_list(session, made.id), network_interface_list(session, made.id)
    out = exported(session, made.id, tmp_path)
    guest_delete(session, made.id)

    again = import_from(session, libvirtd, out)
    assert again != made.id
    now = guest_info(session, again)
    for field in ("name", "cpus", "memory", "hdd", "paravirtualized", "state"):
        assert getattr(now, field) == getattr(shown, field), field
    assert [(each.id, each.size) for each in disk_list(session, again)] == [
        (each.id, each.size) for each in disks
    ]
    assert disk_list(session, again)[1].name == "data <&>"
    assert network_interface_list(session, again) == interfaces
    assert tag_list(session, again) == ["a/b <&> ü", "blue"]
    twice = exported(session, again, tmp_path)
    assert described(twice) == described(out)
    assert contents(twice) == contents(out)
    assert contents(out)[0] == FIRST
    assert warnings == []
    guest_delete(session, again)
    volume.unlink()
    refresh(session, libvirtd)
    assert host_state(session.connection, libvirtd) == before


def test_a_template_with_uefi_variables_comes_back(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    if not VARIABLES.exists():
        lacking_packages(["ovmf"])
    nvram = libvirtd.folder / "lib/qemu/nvram"
    nvram.mkdir(parents=True, exist_ok=True)
    with uefi_guest(session, nvram, "efi") as domain:
        content = variables(b"of this guest")
        (nvram / f"{domain.name()}_VARS.fd").write_bytes(content)
        guest_update(session, domain.UUIDString(), GuestUpdate(template=True))
        out = exported(session, domain.UUIDString(), tmp_path)
        guest_delete(session, domain.UUIDString())
        again = import_from(session, libvirtd, out)
        twice = exported(session, again, tmp_path)
        assert replace(twice.appliance, cd_drives=0) == out.appliance
        assert twice.appliance.template
        assert twice.file(twice.appliance.nvram_href or "").read_bytes() == content
        guest_delete(session, again)


@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_a_guest_of_another_tool_with_raw_disks_and_overlays_comes_back(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, tmp_path: Path, machine: str
) -> None:
    raw, base, overlay = pool.path(".img"), pool.path(".qcow2"), pool.path(".qcow2")
    raw.write_bytes(SECOND)
    base.write_bytes(image(tmp_path, FIRST))
    qemu_img("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", overlay)
    refresh(session, libvirtd)
    bus = "sata" if machine == "q35" else "ide"
    name = f"foreign-{uuid.uuid4().hex[:8]}"
    disks = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/>"
        f"<target dev='{'hd' if bus == 'ide' else 'sd'}{letter}' bus='{bus}'/></disk>"
        for kind, path, letter in (("raw", raw, "a"), ("qcow2", overlay, "b"))
    )
    domain = session.connection.defineXML(
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type></os><devices>{disks}</devices></domain>"
    )
    out = exported(session, domain.UUIDString(), tmp_path)
    domain.undefine()
    again = import_from(session, libvirtd, out)
    twice = exported(session, again, tmp_path)
    expected = described(out)
    assert replace(described(twice), cd_drives=0) == expected
    assert contents(twice) == [SECOND, FIRST]
    guest_delete(session, again)


def test_a_guest_boots_again_from_its_export(
    session: KvmSession, libvirtd: Libvirtd, guest_volume: str, tmp_path: Path, until: Until
) -> None:
    made = guest_create(
        session,
        GuestCreate(
            name="exported",
            memory=128,
            image=guest_volume,
            network_interfaces=[NewNetworkInterface(network=libvirtd.network)],
            storage=libvirtd.pool,
            start=True,
        ),
    )
    until(lambda: answers(guest_info(session, made.id).ip), BOOT_SECONDS, "the guest answers")
    guest_shutdown(session, made.id, force=False)
    out = exported(session, made.id, tmp_path)
    guest_delete(session, made.id)
    again = import_from(session, libvirtd, out)
    guest_start(session, again)
    until(lambda: answers(guest_info(session, again).ip), BOOT_SECONDS, "the imported guest answers")
    guest_shutdown(session, again, force=True)
    guest_delete(session, again)
