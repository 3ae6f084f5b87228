"""Exports of guests, as a client gets them."""

import hashlib
import re
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

from simplestack import Export
from simplestack.appliances import Appliance, read_descriptor
from simplestack_kvm.hooks.guests_export import guest_export
from simplestack_kvm.libvirtd.connection.session import KvmSession

_LINE = re.compile(r"SHA256\((.+)\)= ([0-9a-f]{64})")


class Archive:
    """An export in a file, unpacked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.with_suffix(".files")
        with tarfile.open(path) as archive:
            self.names = archive.getnames()
        self.folder.mkdir()
        # Python 3.11.2, which Debian 12 has, has no filters for what is extracted.
        subprocess.run(["tar", "--extract", f"--file={path}", f"--directory={self.folder}"], check=True)

    def file(self, name: str) -> Path:
        return self.folder / name

    @property
    def appliance(self) -> Appliance:
        return read_descriptor(self.file("guest.ovf").read_bytes())

    def require_digests(self) -> None:
        """Check that the manifest has the digests of all files but itself."""
        lines = self.file(self.names[-1]).read_text().splitlines()
        listed = {found[1]: found[2] for found in map(_LINE.fullmatch, lines) if found}
        assert listed == {
            name: hashlib.sha256(self.file(name).read_bytes()).hexdigest() for name in self.names[:-1]
        }


def download_all(export: Export, path: Path) -> None:
    """Write an export to a file, as core does."""
    with closing(export.chunks), path.open("wb") as file:  # type: ignore[type-var]  # core closes what can be
        for chunk in export.chunks:
            file.write(chunk)


def exported(session: KvmSession, guest_id: str, folder: Path) -> Archive:
    """Export a guest."""
    path = folder / f"{guest_id}.ova"
    export = guest_export(session, guest_id)
    download_all(export, path)
    assert path.stat().st_size == export.size
    return Archive(path)


def raw_content(image: Path, image_format: str = "qcow2") -> bytes:
    """Return what a guest would read from its disk."""
    raw = image.with_suffix(".content")
    subprocess.run(["qemu-img", "convert", "-f", image_format, "-O", "raw", str(image), str(raw)], check=True)
    return raw.read_bytes()


def info(image: Path) -> str:
    """Return what qemu-img tells about an image, without opening what it is based on."""
    return subprocess.run(["qemu-img", "info", str(image)], check=True, capture_output=True, text=True).stdout
