"""A guest that keeps its CD drive locked, on a real libvirtd."""

import json
from collections.abc import Callable
from pathlib import Path

import libvirt_qemu  # type: ignore[import-untyped]  # it has no annotations
import pytest

from simplestack import (
    Conflict,
)
from simplestack_kvm.hooks.media import media_mount, media_unmount
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .cd_drives import drives
from .domains import file_disk, foreign

Until = Callable[[Callable[[], bool], float, str], None]

#: Boot code: sends PREVENT ALLOW MEDIUM REMOVAL to the drive on the second IDE channel, then halts.
LOCKING = bytes.fromhex(
    "31c0 8ed8 fc"  # the data segment is 0
    "ba7601 b0a0 ee"  # the first device of the channel
    "ba7101 30c0 ee  ba7401 b00c ee  ba7501 30c0 ee"  # 12 bytes
    "ba7701 b0a0 ee  ec a808 74fb"  # PACKET; wait until it takes data
    "ba7001 be3e7c b90600 f36f  f4 ebfd"
).ljust(0x3E, b"\x90") + bytes.fromhex("1e0000000100000000000000")


def test_a_guest_that_locks_its_drive_keeps_its_medium(
    session: KvmSession, isos: tuple[Path, Path], outside: Path, until: Until
) -> None:
    boot = outside / "boot.raw"
    boot.write_bytes(LOCKING.ljust(510, b"\0") + b"\x55\xaa" + bytes(512 * 63))
    outside.chmod(0o755)
    inner = f"<driver name='qemu' type='raw'/><source file='{boot}'/><target dev='hda' bus='ide'/>"
    disk = f"<disk type='file'>{inner}</disk>"
    drive = file_disk(str(isos[0]), "hdc", "ide", device="cdrom")
    with foreign(session.connection, disk + drive, machine="pc") as domain:
        guest_id = domain.UUIDString()
        domain.create()

        def is_locked() -> bool:
            answer = libvirt_qemu.qemuMonitorCommand(domain, '{"execute": "query-block"}', 0)
            return any(each.get("locked") for each in json.loads(answer)["return"])

        until(is_locked, 30, "the guest locks its drive")
        changes: list[Callable[[], None]] = [
            lambda: media_unmount(session, guest_id),
            lambda: media_mount(session, guest_id, isos[1].name),
        ]
        for change in changes:
            with pytest.raises(Conflict, match="keeps its CD drive locked: unmount the CD in the guest"):
                change()
            assert drives(domain) == drives(domain, 0) == [("hdc", str(isos[0]))]
        media_mount(session, guest_id, isos[0].name)  # which it has
        domain.destroy()
        media_unmount(session, guest_id)
        assert drives(domain) == [("hdc", None)]
