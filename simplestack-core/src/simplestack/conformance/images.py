"""Compare the disks of two exports."""

import hashlib
import tarfile
from pathlib import Path

from simplestack.entities.transfer import CHUNK_BYTES

#: Files of an archive that describe the guest, with its ID, its name or the time.
_DESCRIPTIONS = (".json", ".xml", ".ovf", ".mf", ".cert", ".txt")


def disk_digests(file: Path) -> dict[str, str]:
    """Return a digest of each disk in an export: files of a tar archive, except descriptions of the guest.

    An export in another format counts as one disk.

    :raises AssertionError: the archive has no disk
    """
    if not tarfile.is_tarfile(file):
        with file.open("rb") as stream:
            return {"image": hashlib.file_digest(stream, "sha256").hexdigest()}
    digests = {}
    with tarfile.open(file) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or member.name.endswith(_DESCRIPTIONS):
                continue
            digest = hashlib.sha256()
            while chunk := content.read(CHUNK_BYTES):
                digest.update(chunk)
            digests[member.name] = digest.hexdigest()
    assert digests, "the export is an archive without a disk"
    return digests
