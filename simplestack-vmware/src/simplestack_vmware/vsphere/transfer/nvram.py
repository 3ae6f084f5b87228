"""The variables of a guest's UEFI firmware, which vSphere keeps in a file: NVRAM."""

from typing import NamedTuple

from simplestack import MIB
from simplestack_vmware.settings import VmwareSettings
from simplestack_vmware.vsphere.transfer.files import Download, FileAddress
from simplestack_vmware.vsphere.transfer.leases import LeaseFile

#: vSphere's files have some 8 to 600 KiB.
MAX_NVRAM_BYTES = 4 * MIB
#: What vSphere calls the file in leases and descriptors, after the VM: ``/vm-1/nvram``.
_DEVICE = "nvram"
_SUFFIX = f"/{_DEVICE}"


class Nvram(NamedTuple):
    """A file of UEFI variables that is exported."""

    file: LeaseFile
    #: Its name in the archive.
    name: str
    content: bytes


def is_nvram(key: str) -> bool:
    """Return whether a key of a lease or a descriptor is that of UEFI variables."""
    return key.endswith(_SUFFIX)


def fetch(address: FileAddress, settings: VmwareSettings) -> bytes | None:
    """Return the content of a file of UEFI variables, None if it is too large to be one.

    :raises SimplestackError: as `Download`
    """
    download = Download(address, settings)
    try:
        content = b""
        for piece in download:
            content += piece
            if len(content) > MAX_NVRAM_BYTES:
                return None
        return content
    finally:
        download.close()
