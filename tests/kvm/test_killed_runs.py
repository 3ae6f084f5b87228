"""A run of the tests that was killed: the next one removes what it left on the machine."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

from .conftest import require_libvirtd
from .counterparts import libvirtd as counterpart

_RUN = """
import time
from kvm.counterparts import libvirtd
daemon = libvirtd.start(pool_in_memory=True)
print(daemon.folder, daemon.bridge, flush=True)
time.sleep(600)
"""


def bridges() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def test_the_libvirtd_of_a_killed_run_leaves_nothing_after_the_next_start() -> None:
    require_libvirtd()
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN], cwd=Path(__file__).parents[1], stdout=subprocess.PIPE
    )
    assert run.stdout is not None
    with run.stdout:
        name, bridge = run.stdout.readline().decode().split()
    folder = Path(name)
    assert (folder / "pool").is_mount()
    assert bridge in bridges()
    other = counterpart.start(network=False)
    assert folder.exists(), "its process runs"
    other.stop()
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert folder.exists()
    counterpart.start(network=False).stop()
    assert not folder.exists()
    assert bridge not in bridges()
