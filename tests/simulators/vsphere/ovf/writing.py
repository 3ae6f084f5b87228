"""OVF descriptors of VMs, as vSphere writes them: files, disks, networks and hardware."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from pyVmomi import vim

from simulators.vsphere.disk_chains import disks_of
from simulators.vsphere.ovf.hardware import CARDS, CONTROLLERS, Resource

device: Any = vim.vm.device
_NVRAM_ID = "nvram"
_FORMAT = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2"
_NAMESPACES = (
    ' xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common"'
    ' xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"'
    f' xmlns:rasd="{_CIM}/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf"'
    f' xmlns:vssd="{_CIM}/CIM_VirtualSystemSettingData"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


class Source(NamedTuple):
    """What a descriptor is of."""

    #: The name of the VM, and what the descriptor calls it.
    name: str
    identity: str
    annotation: str
    config: Any
    #: What clients have fetched, by the key of the disk that it is of: `vim.OvfManager.OvfFile`.
    files: Mapping[int, Any]
    #: The file of the firmware's settings, if clients have fetched it.
    nvram: Any
    #: The disks that are exported, by key: all, or those that have files.
    disks: frozenset[int]
    #: The names of networks by the key of the card that is in them.
    networks: Mapping[int, str]


def write(source: Source) -> str:
    """Return the descriptor of a VM."""
    disks = [disk for disk in disks_of(source.config) if disk.key in source.disks]
    body = [
        _tag("References", *_files(source, disks)),
        _tag("DiskSection", _info("Virtual disk information"), *_disks(source, disks)),
        _tag("NetworkSection", _info("The list of logical networks"), *_networks(source)),
        _system(source, disks),
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Envelope{_NAMESPACES}>{"".join(body)}</Envelope>'


def _files(source: Source, disks: list[Any]) -> Iterator[str]:
    for number, disk in enumerate(disks, 1):
        file = source.files.get(disk.key)
        if file is not None:
            found = {"compression": file.compressionMethod, "chunkSize": file.chunkSize}
            yield _tag("File", **_ovf({"href": file.path, "id": f"file{number}", "size": file.size, **found}))
    if source.nvram is not None:
        nvram = {"href": source.nvram.path, "id": _NVRAM_ID, "size": source.nvram.size}
        yield _tag("File", **_ovf(nvram))


def _disks(source: Source, disks: list[Any]) -> Iterator[str]:
    for number, disk in enumerate(disks, 1):
        file = source.files.get(disk.key)
        yield _tag(
            "Disk",
            **_ovf(
                {
                    "capacity": disk.capacityInBytes,
                    "capacityAllocationUnits": "byte",
                    "diskId": f"vmdisk{number}",
                    "fileRef": None if file is None else f"file{number}",
                    "format": _FORMAT,
                    "populatedSize": None if file is None else file.populatedSize,
                }
            ),
        )


def _networks(source: Source) -> Iterator[str]:
    for name in dict.fromkeys(source.networks.values()):
        text = _text("Description", f"The {name} network")
        yield _tag("Network", text, **_ovf({"name": name}))


def _system(source: Source, disks: list[Any]) -> str:
    config = source.config
    system = [
        _text("vssd:ElementName", "Virtual Hardware Family"),
        _text("vssd:InstanceID", 0),
        _text("vssd:VirtualSystemIdentifier", source.name),
        _text("vssd:VirtualSystemType", config.version),
    ]
    settings = {
        "firmware": config.firmware,
        "cpuHotAddEnabled": str(bool(config.cpuHotAddEnabled)).lower(),
        "memoryHotAddEnabled": str(bool(config.memoryHotAddEnabled)).lower(),
    }
    parts = [
        _info("A virtual machine"),
        _text("Name", source.name),
        _tag(
            "OperatingSystemSection",
            _info("The kind of installed guest operating system"),
            _text("Description", config.guestFullName),
            **{"ovf:id": "1", "vmw:osType": config.guestId},
        ),
        _tag(
            "VirtualHardwareSection",
            _info("Virtual hardware requirements"),
            _tag("System", *system),
            *_items(source, disks),
            *(_setting("Config", name, value) for name, value in settings.items()),
            *([] if source.nvram is None else [_setting("ExtraConfig", "nvram", f"ovf:/file/{_NVRAM_ID}")]),
        ),
    ]
    if source.annotation:
        text = _text("Annotation", source.annotation)
        parts.append(
            _tag(
                "AnnotationSection", _info("A human-readable annotation"), text, **_ovf({"required": "false"})
            )
        )
    return _tag("VirtualSystem", *parts, **_ovf({"id": source.identity}))


def _setting(tag: str, name: str, value: str) -> str:
    return _tag(f"vmw:{tag}", **{"ovf:required": "false", "vmw:key": name, "vmw:value": value})


def _items(source: Source, disks: list[Any]) -> Iterator[str]:
    hardware = source.config.hardware
    cpus, memory = hardware.numCPU, hardware.memoryMB
    yield _item(
        1,
        Resource.PROCESSORS,
        f"{cpus} virtual CPU(s)",
        AllocationUnits="hertz * 10^6",
        Description="Number of Virtual CPUs",
        VirtualQuantity=cpus,
        more=_tag("vmw:CoresPerSocket", str(hardware.numCoresPerSocket), **_ovf({"required": "false"})),
    )
    yield _item(
        2,
        Resource.MEMORY,
        f"{memory}MB of memory",
        AllocationUnits="byte * 2^20",
        Description="Memory Size",
        VirtualQuantity=memory,
    )
    instances: dict[int, int] = {}
    for number, (each, kind, subtype) in enumerate(_controllers(hardware.device), 3):
        instances[each.key] = number
        yield _item(number, kind, each.deviceInfo.label, Address=each.busNumber, ResourceSubType=subtype)
    number = len(instances) + 3
    for index, disk in enumerate(disks, 1):
        yield _item(
            number,
            Resource.DISK,
            disk.deviceInfo.label,
            AddressOnParent=disk.unitNumber,
            HostResource=f"ovf:/disk/vmdisk{index}",
            Parent=instances[disk.controllerKey],
        )
        number += 1
    for each in hardware.device:
        match each:
            case device.VirtualCdrom():
                yield _item(
                    number,
                    Resource.CD_DRIVE,
                    each.deviceInfo.label,
                    is_required=False,
                    AddressOnParent=each.unitNumber,
                    AutomaticAllocation="false",
                    Parent=instances[each.controllerKey],
                    ResourceSubType=_CD_SUBTYPES[
                        isinstance(each.backing, device.VirtualCdrom.IsoBackingInfo)
                    ],
                )
            case device.VirtualEthernetCard():
                yield _card(number, each, source.networks[each.key])
            case device.VirtualVideoCard():
                yield _item(
                    number,
                    Resource.VIDEO_CARD,
                    "VirtualVideoCard",
                    is_required=False,
                    AutomaticAllocation="false",
                )
            case _:
                continue
        number += 1


_CD_SUBTYPES = {True: "vmware.cdrom.iso", False: "vmware.cdrom.remotepassthrough"}


def _controllers(devices: Iterable[Any]) -> Iterator[tuple[Any, Resource, str]]:
    for each in devices:
        if isinstance(each, device.VirtualIDEController):
            yield each, Resource.IDE_CONTROLLER, ""
        for own, kind, subtype in CONTROLLERS:
            if isinstance(each, own):
                yield each, kind, subtype


def _card(number: int, card: Any, network: str) -> str:
    subtype = next((name for kind, name in CARDS if isinstance(card, kind)), "")
    return _item(
        number,
        Resource.CARD,
        card.deviceInfo.label,
        AddressOnParent=card.unitNumber,
        AutomaticAllocation=str(bool(card.connectable and card.connectable.startConnected)).lower(),
        Connection=network,
        Description=f'{subtype} ethernet adapter on "{network}"',
        ResourceSubType=subtype,
    )


def _item(
    number: int, kind: Resource, name: str, *, is_required: bool = True, more: str = "", **values: Any
) -> str:
    """Return a part of the hardware. The order of what is in it is alphabetical, as the schema has it."""
    values |= {"ElementName": name, "InstanceID": number, "ResourceType": int(kind)}
    parts = [_text(f"rasd:{key}", values[key]) for key in sorted(values) if values[key] != ""]
    required = {} if is_required else _ovf({"required": "false"})
    return _tag("Item", *parts, more, **required)


def _ovf(values: Mapping[str, Any]) -> dict[str, str]:
    """Return attributes of OVF's namespace, without those that are unset."""
    return {f"ovf:{name}": str(value) for name, value in values.items() if value is not None}


def _info(text: str) -> str:
    return _text("Info", text)


def _text(name: str, value: Any) -> str:
    return _tag(name, escape(str(value)))


def _tag(name: str, *parts: str, **attributes: str) -> str:
    own = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{own}>{''.join(parts)}</{name}>"
