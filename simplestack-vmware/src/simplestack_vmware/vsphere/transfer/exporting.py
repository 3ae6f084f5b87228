"""Export guests: an archive of vSphere's descriptor and the disks, which are sent as they are received.

vSphere does not know the size of a disk's file before it has sent it. So the files are split into chunks.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import field

from simplestack import MIB, Conflict, Export, GuestState, HypervisorError, warn
from simplestack.appliances import ArchiveStream, NewMember, archive_chunks
from simplestack_vmware.vsphere.inventory.devices import disks
from simplestack_vmware.vsphere.inventory.records import VmHardware
from simplestack_vmware.vsphere.sessions.lookups import require_guest_state
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.descriptors import describe
from simplestack_vmware.vsphere.transfer.files import Download, FileAddress, address_of
from simplestack_vmware.vsphere.transfer.leases import Lease, LeaseFile
from simplestack_vmware.vsphere.transfer.nvram import Nvram, fetch, is_nvram

#: Chunks of this size are held in memory. Larger disks have larger ones: imports take up to 10,000 files.
_CHUNK_BYTES = 8 * MIB
_MOST_CHUNKS = 8192
_NVRAM_NAME = "guest.nvram"


class VmExport(VmHardware, frozen=True, kw_only=True):
    """A VM with what exports depend on."""

    firmware: str = field(name="config.firmware", default="bios")


def export_guest(session: VmwareSession, vm: VmExport) -> Export:
    """Return the archive of a stopped guest. All that can be rejected is rejected here.

    :raises InvalidState: the guest is not stopped, or is a template
    :raises Conflict: vSphere does not export one of its disks
    :raises HostNotAllowed: the settings do not allow the host that has the disks
    """
    require_guest_state(vm, "export", GuestState.STOPPED)
    lease = Lease.begin(session, session.vm(vm).ExportVm)
    download: Download | None = None
    try:
        files = _disk_files(vm, lease)
        addresses = [_address(session, file) for file in files]
        chunk_bytes = _chunk_bytes(sum(disk.size_bytes or 0 for disk in disks(vm.devices)))
        names = {f"disk-{number}.vmdk": file for number, file in enumerate(files, 1)}
        nvram = _nvram(session, lease) if vm.firmware == "efi" else None
        descriptor, has_nvram = describe(session, vm, names, chunk_bytes, nvram)
        if vm.firmware == "efi" and not has_nvram:
            warn("the export does not have the UEFI variables of the guest")
        if addresses:
            download = Download(addresses[0], session.settings)
        else:
            lease.complete()
        content = _Disks(session, lease, files, addresses, download)
        members = [
            NewMember(
                name=name, size_bytes=None, chunk_bytes=chunk_bytes, content=partial(content.read, number)
            )
            for number, name in enumerate(names)
        ]
        if nvram is not None and has_nvram:
            content_of = partial(iter, [nvram.content])
            members.append(NewMember(name=nvram.name, size_bytes=len(nvram.content), content=content_of))
        return Export(ArchiveStream(archive_chunks(descriptor, members), content.close))
    except BaseException:
        if download is not None:
            download.close()
        lease.abort()
        raise


def _disk_files(vm: VmExport, lease: Lease) -> list[LeaseFile]:
    """Return the files of all disks of a guest.

    :raises Conflict: one is missing
    """
    files = [file for file in lease.files if file.is_disk]
    own = disks(vm.devices)
    if len(files) != len(own):
        raise Conflict(
            f"cannot export guest {vm.name!r}: vSphere exports {len(files)} of its {len(own)} disks: "
            "detach those that are no files of the guest, such as raw device mappings"
        )
    return files


def _nvram(session: VmwareSession, lease: Lease) -> Nvram | None:
    """Fetch the UEFI variables, None if vSphere does not export them, as before 6.7."""
    file = next((file for file in lease.files if not file.is_disk and is_nvram(file.key)), None)
    if file is None:
        return None
    content = fetch(_address(session, file), session.settings)
    return None if content is None else Nvram(file, _NVRAM_NAME, content)


def _address(session: VmwareSession, file: LeaseFile) -> FileAddress:
    return address_of(file.url, file.thumbprint, session.target, session.settings)


def _chunk_bytes(disk_bytes: int) -> int:
    chunk_bytes = _CHUNK_BYTES
    while chunk_bytes * _MOST_CHUNKS < disk_bytes:
        chunk_bytes *= 2
    return chunk_bytes


class _Disks:
    """The disks of an export, read one after the other. The lease is complete after the last one."""

    def __init__(
        self,
        session: VmwareSession,
        lease: Lease,
        files: Sequence[LeaseFile],
        addresses: Sequence[FileAddress],
        first: Download | None,
    ) -> None:
        self._session = session
        self._lease = lease
        self._files = files
        self._addresses = addresses
        self._download = first
        self._received: dict[str, int] = {}

    def read(self, number: int) -> Iterator[bytes]:
        """Yield a disk in pieces.

        :raises HypervisorError: the host has sent more than was received
        """
        download = self._download
        if download is None:
            download = self._download = Download(self._addresses[number], self._session.settings)
        yield from download
        download.close()
        self._download = None
        self._received[self._files[number].key] = download.size_bytes
        self._lease.percent = 100 * len(self._received) // len(self._files)
        if len(self._received) == len(self._files):
            self._finish()

    def close(self) -> None:
        """Stop reading, and end the lease if it is not complete."""
        if self._download is not None:
            self._download.close()
        self._lease.abort()

    def _finish(self) -> None:
        for key, size_bytes in self._lease.sizes().items():
            if self._received.get(key, size_bytes) != size_bytes:
                raise HypervisorError(
                    f"a disk has {size_bytes} bytes, and only {self._received[key]} were received: try again"
                )
        self._lease.complete()
