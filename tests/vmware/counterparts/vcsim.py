"""govmomi's simulator of vSphere, from Debian's sources: an implementation that nobody here wrote.

It is built once, in about 20 s, and kept in `.cache`.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.golang import GOPATH, go_program

HERE = Path(__file__).parent
_SOURCE = HERE / "vcsim" / "main.go"
_GOVMOMI = GOPATH / "src/github.com/vmware/govmomi/simulator"

USER, PASSWORD = "root", "secret"


def missing_packages() -> list[str]:
    """Return the Debian packages that the simulator needs and this machine lacks."""
    there = {"golang-go": shutil.which("go"), "golang-github-vmware-govmomi-dev": _GOVMOMI.is_dir()}
    return [package for package, is_there in there.items() if not is_there]


def build() -> Path:
    """Return the simulator's program, which is built unless it is there."""
    return go_program("vcsim", _SOURCE)


@contextlib.contextmanager
def running(certificate: Path, *, esx: bool = False, hosts: int = 1, vms: int = 2) -> Iterator[int]:
    """Run a simulator until the block ends, and give its port.

    :param certificate: PEM file with its certificate and key
    :param hosts: of a vCenter, outside of its cluster
    :param vms: of each host, and of the cluster
    """
    command = [str(build()), f"-certificate={certificate}", f"-hosts={hosts}", f"-vms={vms}"]
    command += ["-esx"] if esx else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "vcsim ended at once"
        yield int(line)
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()
