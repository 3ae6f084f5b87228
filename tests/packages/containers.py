"""Images and containers of podman, in a storage of their own."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from support.lacking import lacking, lacking_packages

SUITE = "bookworm"
#: An authority that the machine trusts beyond those that pip brings, such as that of a proxy.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BUILD_SECONDS = 900
#: Where so much memory is available, the storage is in it. It takes up to 2 GiB, mostly in small files.
MEMORY_BYTES = 8 * 1024**3


def require_podman() -> None:
    """Skip the test where there is no podman, or fail it where nothing may be skipped."""
    if os.geteuid() != 0:
        lacking("needs root: containers are built and booted by root here")
    packages = [name for name in ("podman", "runc", "mmdebstrap") if shutil.which(name) is None]
    if packages:
        lacking_packages(packages)


@dataclass(frozen=True)
class Podman:
    """podman, with all that it stores in one folder."""

    storage: Path

    def run(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a podman command, and fail with what it printed if it fails."""
        done = subprocess.run(
            [*self._command, *arguments],
            # Here, builds need no cgroups of their own.
            env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS,
        )
        assert not check or done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done

    @property
    def _command(self) -> list[str]:
        folders = [f"--root={self.storage}/root", f"--runroot={self.storage}/run"]
        return ["podman", *folders, "--cgroup-manager=cgroupfs", "--runtime=runc"]

    def trust_options(self) -> list[str]:
        """Return options with which pip in a container trusts the authorities that this machine trusts."""
        if not AUTHORITIES.exists():
            return []
        settings = self.storage / "pip.conf"
        settings.write_text("[global]\ncert = /mnt/authorities.pem\ndisable-pip-version-check = true\n")
        mounts = {AUTHORITIES: "/mnt/authorities.pem", settings: "/etc/pip.conf"}
        return [f"--volume={here}:{there}:ro" for here, there in mounts.items()]


@contextlib.contextmanager
def podman_storage() -> Iterator[Podman]:
    """Yield podman with an empty storage, and remove the storage with everything in it."""
    # podman rejects a path of more than 50 characters for what changes while it runs. So it
    # is not below the clone.
    with tempfile.TemporaryDirectory(prefix="podman-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        podman = Podman(Path(folder))
        is_in_memory = psutil.virtual_memory().available > MEMORY_BYTES and _succeeds(
            ["mount", "-t", "tmpfs", "podman", folder]
        )
        try:
            yield podman
        finally:
            podman.run("rm", "--all", "--force", "--time=0", check=False)
            podman.run("rmi", "--all", "--force", check=False)
            if is_in_memory:
                _succeeds(["umount", "--lazy", folder])


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def debian(podman: Podman) -> str:
    """Make the image that registries have as ``debian:12-slim``, from Debian's packages; return its name."""
    name = "localhost/debian:12-slim"
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        command = ["mmdebstrap", "--quiet", "--variant=minbase", SUITE, archive.name]
        place = {**os.environ, "TMPDIR": str(podman.storage)}
        made = subprocess.run(
            command, env=place, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
        )
        assert made.returncode == 0, made.stderr
        podman.run("import", archive.name, name)
    return name
