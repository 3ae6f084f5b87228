"""Things on a host that hang: QEMU processes, and file systems as NFS is when its server is away."""

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import libvirt
import psutil

from simplestack import Target
from simplestack_kvm import session as sessions
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .counterparts import hanging_filesystem
from .counterparts.libvirtd import Libvirtd

#: More than every limit together, and less than a call that hangs takes.
PATIENCE_SECONDS = 45

T = TypeVar("T")


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


def in_time(libvirtd: Libvirtd, settings: KvmSettings, call: Callable[[KvmSession], T]) -> T:
    """Return what a call returns or raises, on a session of its own; fail when it hangs."""
    with clients(libvirtd, settings, call, 1) as results:
        (result,) = results()
    if isinstance(result, BaseException):
        raise result
    return result


@contextmanager
def clients(
    libvirtd: Libvirtd, settings: KvmSettings, call: Callable[[KvmSession], T], count: int
) -> Iterator[Callable[[], list[T | BaseException]]]:
    """Make a call on many sessions at once; yield what waits for all of them."""
    results: list[T | BaseException] = []

    def run() -> None:
        session = KvmSession(libvirt.open(libvirtd.uri), settings, Target("localhost"))
        try:
            results.append(call(session))
        except BaseException as error:  # given to the test
            results.append(error)
        sessions.disconnect(session)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()

    def wait() -> list[T | BaseException]:
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert len(results) == count, f"{count - len(results)} of {count} calls hang"
        return results

    yield wait
