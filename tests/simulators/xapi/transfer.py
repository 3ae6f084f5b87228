"""Images of VMs in and out: a tar whose first member, ``ova.xml``, describes the VM.

The document in it is the simulator's own: records as JSON in one element. Each disk follows in members of
1 MiB, ``Ref:NUMBER/00000000`` and so on, as XAPI has them.
"""

import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from xml.etree import ElementTree as ET

import msgspec
from msgspec import Struct

from simulators.xapi.contents import CHUNK_BYTES, Content
from simulators.xapi.database import Database, Object
from simulators.xapi.devices import Devices
from simulators.xapi.failures import Failure
from simulators.xapi.lifecycle import check
from simulators.xapi.machines import Machines
from simulators.xapi.types import NULL

DOCUMENT = "ova.xml"
_MAX_DOCUMENT_BYTES = 16 * CHUNK_BYTES


class _Disk(Struct):
    drive: dict[str, Any]
    disk: dict[str, Any]
    content: Content


class _Document(Struct):
    vm: dict[str, Any]
    disks: list[_Disk]
    interfaces: list[dict[str, Any]]


class Readable(Protocol):
    """What an image is read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes."""
        ...


class Writable(Protocol):
    """What an image is written to."""

    def write(self, data: bytes, /) -> object:
        """Take all of it."""
        ...


class Transfer:
    """Exports and imports VMs."""

    def __init__(self, database: Database, devices: Devices, machines: Machines) -> None:
        self._database = database
        self._devices = devices
        self._machines = machines

    def check_export(self, vm: Object) -> None:
        """Pass a VM that can be exported.

        :raises Failure: VM_BAD_POWER_STATE
        """
        check(self._database, vm, "export")

    def export(self, vm: Object, target: Writable) -> None:
        """Write a VM's image."""
        with self._database.lock:
            document = self._document(vm)
        root = ET.Element("value")
        root.text = msgspec.json.encode(document).decode()
        with tarfile.open(fileobj=target, mode="w|", format=tarfile.USTAR_FORMAT) as archive:  # type: ignore[call-overload]  # only write is called
            _add(archive, DOCUMENT, ET.tostring(root))
            for number, disk in enumerate(document.disks):
                for index, chunk in enumerate(disk.content.chunks()):
                    _add(archive, f"Ref:{number}/{index:08d}", chunk)

    def import_(self, source: Readable, storage: str) -> str:
        """Make a VM of an image, and return it. A failure leaves nothing behind.

        :raises Failure: IMPORT_ERROR, SR_FULL and so on
        """
        made: Object | None = None
        try:
            with tarfile.open(fileobj=source, mode="r|") as archive:  # type: ignore[call-overload]  # only read is called
                members = _members(archive)
                document = _read_document(next(members, ("", b"")))
                with self._database.lock:
                    made = self._build(document, storage)
                _verify(members, document.disks)
        except (tarfile.TarError, OSError, EOFError) as error:
            self._undo(made)
            raise Failure("IMPORT_ERROR", f"unexpected end of file or damage: {error}") from error
        except Failure:
            self._undo(made)
            raise
        return made.ref

    def _document(self, vm: Object) -> _Document:
        disks = []
        for ref in vm["VBDs"]:
            drive = self._database.get("VBD", ref)
            if drive["type"] == "Disk":
                disk = self._database.get("VDI", drive["VDI"])
                kept = {name: disk[name] for name in ("name_label", "virtual_size", "type")}
                own = {name: drive[name] for name in ("userdevice", "bootable", "mode", "unpluggable")}
                disks.append(_Disk(own, kept, self._devices.storage.content(disk)))
        kept_of_interface = ("device", "MAC", "MTU", "locking_mode", "ipv4_allowed", "ipv6_allowed")
        interfaces = []
        for ref in vm["VIFs"]:
            interface = self._database.get("VIF", ref)
            network = self._database.get("network", interface["network"])
            interfaces.append(
                {name: interface[name] for name in kept_of_interface} | {"network": network["name_label"]}
            )
        return _Document(self._machines.portable(vm), disks, interfaces)

    def _build(self, document: _Document, storage: str) -> Object:
        made = self._machines.add(document.vm)
        try:
            for each in document.disks:
                disk = self._devices.storage.create_disk({**each.disk, "SR": storage})
                self._devices.storage.set_content(disk, each.content)
                self._devices.drives.create(
                    {**each.drive, "VM": made.ref, "VDI": disk.ref, "type": "Disk", "empty": False}
                )
            for interface in document.interfaces:
                self._devices.networking.create_interface(
                    {**interface, "VM": made.ref, "network": self._network(interface)}
                )
        except Failure:
            self._undo(made)
            raise
        return made

    def _network(self, interface: Mapping[str, Any]) -> str:
        """Return the network of the same name, else any."""
        networks = list(self._database.all("network"))
        same = [found for found in networks if found["name_label"] == interface["network"]]
        return (same or networks)[0].ref

    def _undo(self, made: Object | None) -> None:
        if made is not None and self._database.find("VM", made.ref) is not None:
            self._machines.undo(made)

    def default_storage(self) -> str:
        """Return the pool's default storage.

        :raises Failure: DEFAULT_SR_NOT_FOUND
        """
        (pool,) = self._database.all("pool")
        if pool["default_SR"] == NULL:
            raise Failure("DEFAULT_SR_NOT_FOUND", NULL)
        found: str = pool["default_SR"]
        return found


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        file = archive.extractfile(member)
        if file is None or member.size > _MAX_DOCUMENT_BYTES:
            raise Failure("IMPORT_ERROR", f"{member.name} is no part of an image")
        yield member.name, file.read()


def _verify(members: Iterator[tuple[str, bytes]], disks: list[_Disk]) -> None:
    """Pass an image that has on its disks what its document says.

    :raises Failure: IMPORT_ERROR
    """
    for number, disk in enumerate(disks):
        for index, chunk in enumerate(disk.content.chunks()):
            if next(members, None) != (f"Ref:{number}/{index:08d}", chunk):
                raise Failure("IMPORT_ERROR", "some checksums failed")
    for name, _ in members:
        raise Failure("IMPORT_ERROR", f"{name} is more than the image says it has")


def _read_document(member: tuple[str, bytes]) -> _Document:
    name, data = member
    if name != DOCUMENT:
        raise Failure("IMPORT_ERROR", f"{name} in place of {DOCUMENT}")
    try:
        return msgspec.json.decode(ET.fromstring(data).text or "", type=_Document)  # noqa: S314  tests' own
    except (ValueError, ET.ParseError) as error:
        raise Failure("IMPORT_ERROR", f"{DOCUMENT}: {error}") from error
