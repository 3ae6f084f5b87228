"""What two exports have in common when they hold the same disks."""

import hashlib
import tarfile
from pathlib import Path

from simplestack.entities.transfer import CHUNK_BYTES

#: Members of an archive that describe the guest: they have its id, its name or the time in them.
_DESCRIPTIONS = (".json", ".xml", ".ovf", ".mf", ".cert", ".txt")


def disk_digests(file: Path) -> dict[str, str]:
    """Return a digest for each disk of an export: of each member of a tar archive that is no description.

    An export in another format is taken as a whole.

    :raises AssertionError: the archive has no disk in it
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
    assert digests, "the export is an archive without any disk in it"
    return digests
