"""govmomi's simulator of vSphere, from Debian's sources: an implementation that nobody here wrote.

It is built once, in about 20 s, and kept in `.cache`.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.built_once import built_once

HERE = Path(__file__).parent
_SOURCE = HERE / "vcsim" / "main.go"
_GOVMOMI = Path("/usr/share/gocode/src/github.com/vmware/govmomi/simulator")
_BUILD_SECONDS = 600

USER, PASSWORD = "root", "secret"


def missing_packages() -> list[str]:
    """Return the Debian packages that the simulator needs and this machine lacks."""
    there = {"golang-go": shutil.which("go"), "golang-github-vmware-govmomi-dev": _GOVMOMI.is_dir()}
    return [package for package, is_there in there.items() if not is_there]


def build() -> Path:
    """Return the simulator's program, which is built unless it is there."""
    return built_once(f"vcsim-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]}", _build)


def _build(program: Path) -> None:
    with tempfile.TemporaryDirectory() as cache:
        own = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": cache}
        command = ["go", "build", "-o", str(program), str(_SOURCE)]
        subprocess.run(command, check=True, env=os.environ | own, cwd=_SOURCE.parent, timeout=_BUILD_SECONDS)


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
