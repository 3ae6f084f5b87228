"""Guests for the tests of snapshots, and what their disks hold."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import libvirt

from simplestack import (
    EntityNotFound,
    Guest,
    GuestCreate,
    GuestState,
    NewDisk,
)
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.power import guest_shutdown
from simplestack_kvm.hooks.snapshots import (
    snapshot_list,
)
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd


@contextmanager
def a_guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    disks = [NewDisk(size=1), NewDisk(size=1)]
    made = guest_create(
        session,
        GuestCreate(name=f"snap {uuid.uuid4().hex[:8]}", memory=32, disks=disks, storage=libvirtd.pool),
    )
    yield made
    try:
        if guest_info(session, made.id).state != GuestState.STOPPED:
            guest_shutdown(session, made.id, force=True)
        guest_delete(session, made.id)
    except EntityNotFound:
        pass


def domain_of(session: KvmSession, guest: Guest) -> "libvirt.virDomain":
    return session.connection.lookupByUUIDString(guest.id)


def paths(session: KvmSession, guest: Guest) -> list[str]:
    return [str(disk.extra_info) for disk in disk_list(session, guest.id)]


def write(path: str, pattern: int) -> None:
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} 0 4k", path], check=True, capture_output=True
    )


def has(path: str, pattern: int) -> bool:
    """Tell whether a disk that nobody uses has a pattern at its start."""
    read = ["qemu-io", "-f", "qcow2", "-c", f"read -P {pattern} 0 4k", path]
    return subprocess.run(read, check=False, capture_output=True).returncode == 0


@contextmanager
def in_use(path: str) -> Iterator[None]:
    """Keep a disk open in another process, which locks it."""
    command = ["qemu-io", "-r", "-f", "qcow2", path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.read(7) == b"qemu-io"  # the prompt: it has opened the disk
        try:
            yield
        finally:
            reader.communicate(b"quit\n")


def in_image(path: str) -> list[str]:
    """Return the names of the snapshots in an image, which may be in use."""
    listed = subprocess.run(
        ["qemu-img", "snapshot", "-U", "-l", path], check=True, capture_output=True, text=True
    )
    return [line.split()[1] for line in listed.stdout.splitlines()[2:]]


def foreign_snapshot(domain: "libvirt.virDomain", name: str, flags: int = 0) -> "libvirt.virDomainSnapshot":
    return domain.snapshotCreateXML(f"<domainsnapshot><name>{name}</name></domainsnapshot>", flags)


def ids(session: KvmSession, guest_id: str) -> dict[str, str]:
    return {snapshot.name: snapshot.id for snapshot in snapshot_list(session, guest_id)}
