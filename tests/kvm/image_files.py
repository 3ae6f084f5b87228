"""Disk images as other tools make them."""

import subprocess
from pathlib import Path


class Files:
    """Images that qemu-img makes: in the pool, which libvirt does not notice, and outside of every pool."""

    def __init__(self, pool: Path, outside: Path) -> None:
        self.pool = pool
        self.outside = outside
        self.made: list[Path] = []

    def image(self, path: Path | str, *options: str, form: str = "qcow2", size: str | None = "1M") -> Path:
        """Make an image."""
        made = Path(path)
        sizes = [] if size is None else [size]
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", form, *options, str(path), *sizes],
            check=True,
            capture_output=True,
            cwd=self.pool,
        )
        self.made.append(made)
        return made

    def overlay(self, path: Path, backing: str | Path, form: str = "qcow2") -> Path:
        """Make an image that is based on another one; what it is based on is not opened."""
        return self.image(path, "-u", "-b", str(backing), "-F", form)

    def link(self, path: Path, to: Path) -> Path:
        path.symlink_to(to)
        self.made.append(path)
        return path

    def hard_link(self, path: Path, to: Path) -> Path:
        path.hardlink_to(to)
        self.made.append(path)
        return path
