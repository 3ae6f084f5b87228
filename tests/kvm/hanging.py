"""Things on a host that hang: QEMU processes, and file systems as NFS is when its server is away."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import libvirt
import psutil

from .counterparts import hanging_filesystem
from .counterparts.libvirtd import Libvirtd


@dataclass(frozen=True)
class HangingPool:
    """An active pool on a file system that hangs when it is told to."""

    name: str
    folder: Path
    process: psutil.Process

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Let each access to the file system wait meanwhile."""
        self.process.suspend()
        try:
            yield
        finally:
            self.process.resume()


@contextmanager
def hanging_pool(connection: "libvirt.virConnect", libvirtd: Libvirtd) -> Iterator[HangingPool]:
    """Make a pool with a 1 GiB volume ``disk.qcow2``, and remove it again."""
    name = f"hanging-{uuid.uuid4().hex[:8]}"
    folder, files = libvirtd.folder / name, libvirtd.folder / f"{name}-files"
    folder.mkdir()
    files.mkdir()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(files / "disk.qcow2"), "1G"], check=True)
    namespace = f"--mount=/proc/{libvirtd.pid()}/ns/mnt"
    server = subprocess.Popen(
        ["nsenter", namespace, sys.executable, hanging_filesystem.__file__, str(folder), str(files)],
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"mounted\n"
    pool = connection.storagePoolCreateXML(
        f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>"
    )
    try:
        yield HangingPool(name, folder, psutil.Process(server.pid))
    finally:
        server.kill()  # what waits for the file system fails then
        server.wait()
        server.stdout.close()
        with suppress(libvirt.libvirtError):  # libvirt gives up a pool whose folder is broken
            pool.destroy()
        subprocess.run(
            ["nsenter", namespace, "umount", "--lazy", str(folder)], check=False, capture_output=True
        )


@contextmanager
def hung_guest(domain: "libvirt.virDomain") -> Iterator[None]:
    """Stop a running guest's QEMU, so that it responds to nothing and nobody."""
    (pid,) = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if f"guest={domain.name()},debug-threads=on" in (process.info["cmdline"] or ())
    ]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
