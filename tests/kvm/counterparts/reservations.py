"""What counterparts take of the machine: a folder, ports and bridges. None is given twice, and none stays.

Each folder has a file that its process keeps locked until it ends, however it ends. Whoever starts the next
counterpart removes the folders that nobody has locked, with their bridges and file systems.
"""

import fcntl
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

_PREFIX = "simplestack-libvirtd-"
_OWNER = "owner"
#: Below the ports that the kernel gives to clients, and to whoever asks for any port.
_PORTS = range(20_000, 32_000)
_SUBNETS = range(130, 250)
#: The bridges of networks that tests define.
_BRIDGE = re.compile(r"<bridge name=['\"](ss(?:test|o)\w+)['\"]")


@contextmanager
def alone() -> Iterator[None]:
    """Keep other processes from starting a counterpart until what this one has chosen is in use."""
    with (Path(tempfile.gettempdir()) / f"{_PREFIX}start.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_folder() -> tuple[Path, IO[bytes]]:
    """Make a folder, and the file whose lock keeps it."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    folder.chmod(0o755)  # QEMU runs as another user and reads disks below it
    owner = (folder / _OWNER).open("wb")
    fcntl.flock(owner, fcntl.LOCK_EX)
    return folder, owner


def remove_left_folders() -> None:
    """Remove the folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), (folder / _OWNER).open("rb") as owner:  # in use, or gone meanwhile
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder of a counterpart that has ended, and what is left outside of it."""
    for network in (folder / "etc-libvirt/qemu/networks").glob("*.xml"):
        for bridge in _BRIDGE.findall(network.read_text()):
            subprocess.run(["ip", "link", "delete", bridge], check=False, capture_output=True)
    if (folder / "pool").is_mount():
        subprocess.run(["umount", "--lazy", str(folder / "pool")], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    ports: list[int] = []
    with ExitStack() as probes:
        while len(ports) < count:
            port = secrets.choice(_PORTS)
            with suppress(OSError):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports


def free_subnet() -> int:
    """Return the number of a subnet and a bridge that no network has."""
    taken = {name for _, name in socket.if_nameindex()}
    return secrets.choice([number for number in _SUBNETS if f"sstest{number}" not in taken])
