"""A storage pool that is soon full."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simplestack import MIB
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd


@dataclass(frozen=True)
class SmallPool:
    name: str
    #: Its folder, as libvirtd sees it, from outside of its namespace.
    folder: Path

    def fill(self, size_bytes: int) -> None:
        """Let somebody else write into the pool's folder."""
        (self.folder / "filler").write_bytes(b"x" * size_bytes)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name != "filler")


@contextmanager
def small_pool(session: KvmSession, libvirtd: Libvirtd, size_bytes: int = 24 * MIB) -> Iterator[SmallPool]:
    """Define a pool on a file system of its own, in the memory of this machine, and remove it again."""
    name = f"small-{uuid.uuid4().hex[:8]}"
    folder = libvirtd.folder / name
    folder.mkdir()
    enter = ["nsenter", f"--target={libvirtd.pid()}", "--mount", "--pid"]
    subprocess.run(
        [*enter, "mount", "-t", "tmpfs", "-o", f"size={size_bytes}", name, str(folder)], check=True
    )
    pool = session.connection.storagePoolDefineXML(
        f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>"
    )
    try:
        pool.create()
        yield SmallPool(name, Path(f"/proc/{libvirtd.pid()}/root{folder}"))
    finally:
        pool.destroy()
        pool.undefine()
        subprocess.run([*enter, "umount", "--lazy", str(folder)], check=True)
