"""Files of an image, sent to the lease of an import."""

import io

from simplestack import HypervisorError, InvalidArguments, warn
from simplestack.appliances import ApplianceDisk, Incoming, Source, spellings
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.files import (
    FileAddress,
    RejectedUploadError,
    address_of,
    upload_disk,
    upload_file,
)
from simplestack_vmware.vsphere.transfer.import_specs import Specification, device_of
from simplestack_vmware.vsphere.transfer.leases import Lease, LeaseFile
from simplestack_vmware.vsphere.transfer.nvram import is_nvram
from simplestack_vmware.vsphere.transfer.vmdk import check_vmdk


class Uploads:
    """Sends the disks of an image to a lease, in the order in which they come, then the UEFI variables."""

    def __init__(self, session: VmwareSession, lease: Lease, made: Specification) -> None:
        self._session = session
        self._lease = lease
        self._devices = made.devices
        self._files = {device_of(file.import_key): file for file in lease.files if file.is_disk}
        self._sent = 0
        nvram = (file for file in lease.files if not file.is_disk and is_nvram(file.import_key))
        self._nvram = None if made.nvram_href is None else next(nvram, None)
        #: Name of the file with the UEFI variables in the image; None if vSphere has no place for one, as
        #: before 6.7.
        self.nvram_href = None if self._nvram is None else made.nvram_href

    def take(self, disk: ApplianceDisk, file: Source, size_bytes: int | None) -> None:
        """Send a disk.

        :raises InvalidArguments: it is none that vSphere imports, or another one than the descriptor says
        """
        what = f"disk {disk.href!r}"
        image = Incoming(file)
        disk_bytes = check_vmdk(image, what)
        if disk_bytes > disk.capacity_bytes:
            raise InvalidArguments(
                f"{what} has {disk_bytes} bytes, and its descriptor says {disk.capacity_bytes}: export "
                "the guest again"
            )
        named = (self._devices.get(name) for name in spellings(disk.href or ""))
        target = self._files.get(next(filter(None, named), ""))
        if target is None:
            raise HypervisorError(f"vSphere's lease has no place for {what}")
        try:
            upload_disk(self._address(target), self._session.settings, image, size_bytes)
        except RejectedUploadError as error:
            advice = "; send all of a stream-optimized VMDK with grains of 64 KiB"
            raise self._reason(what, error, advice) from None
        self._sent += 1
        self._lease.percent = 100 * self._sent // len(self._files)

    def take_nvram(self, content: bytes | None) -> None:
        """Send the UEFI variables, if `nvram_href` names a file.

        :param content: None if the image does not have the file
        :raises InvalidArguments: vSphere does not take them
        """
        if self._nvram is None:
            return
        if content is None:
            warn(f"the image lacks {self.nvram_href!r}, the UEFI variables: the guest boots with defaults")
            return
        settings = self._session.settings
        try:
            upload_file(self._address(self._nvram), settings, io.BytesIO(content), len(content))
        except RejectedUploadError as error:
            raise self._reason(f"the UEFI variables {self.nvram_href!r}", error) from None

    def _address(self, file: LeaseFile) -> FileAddress:
        return address_of(file.url, file.thumbprint, self._session.target, self._session.settings)

    def _reason(self, what: str, error: RejectedUploadError, advice: str = "") -> Exception:
        """Return why vSphere did not take a file."""
        fault: Fault | None = self._lease.failure()
        if fault is not None and not fault.is_a("SystemError"):
            return fault
        says = f"{error}" if fault is None else fault.message or fault.fields.get("reason") or f"{error}"
        return InvalidArguments(f"vSphere cannot read {what}: {says}{advice}")
