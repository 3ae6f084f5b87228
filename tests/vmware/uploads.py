"""Images as clients upload them, and what becomes of them."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from simplestack import MIB, Guest, GuestImport
from simplestack.appliances import Appliance, ApplianceDisk, NewMember, archive_chunks, write_descriptor
from simplestack_vmware.hooks.guests_export import guest_export
from simplestack_vmware.hooks.guests_import import guest_import
from simplestack_vmware.vsphere.sessions.session import VmwareSession

from .transfers import random_disk, raw_content, received, unpacked

FIRST, SECOND = random_disk(), random_disk(8 * MIB)


def disk(number: int, raw: bytes, **more: Any) -> ApplianceDisk:
    known: dict[str, Any] = {
        "format": "vmdk",
        "bus": "scsi",
        "controller": "virtualscsi",
        "capacity_bytes": len(raw),
    }
    return ApplianceDisk(**({"href": f"disk-{number}.vmdk"} | known | more))


def described(*disks: ApplianceDisk, name: str = "imported", **more: Any) -> Appliance:
    return Appliance(name=name, memory_mib=64, cpus=2, disks=disks, **more)


def packed(
    appliance: Appliance,
    files: Mapping[str, bytes],
    change: Callable[[bytes], bytes] = lambda descriptor: descriptor,
) -> bytes:
    """Return an archive with its files in the order in which they are given."""
    members = [
        NewMember(name=name, size_bytes=len(content), content=partial(iter, [content]))
        for name, content in files.items()
    ]
    return b"".join(archive_chunks(change(write_descriptor(appliance)), members))


def load(
    session: VmwareSession, body: Any, storage_id: str | None = None, size: int | None = None, **query: Any
) -> Guest:
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    description = GuestImport(**query) if query else None
    return guest_import(session, stream, size, storage_id, description)


def contents(session: VmwareSession, guest_id: str, folder: Path) -> list[bytes]:
    """Return what a guest reads from its disks."""
    found = unpacked(received(guest_export(session, guest_id)))
    return [raw_content(folder, each) for _, each in sorted(found.disks.items())]


class Slow(io.BytesIO):
    """A client that waits for something before it sends the rest."""

    def __init__(self, content: bytes, after: int, wait: Callable[[], object]) -> None:
        super().__init__(content)
        self._after, self._wait = after, wait

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._after:
            self._wait()
        return super().read(size)
