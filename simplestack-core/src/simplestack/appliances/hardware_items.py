"""List a guest's hardware as an OVF descriptor does: one item for each device, with a number of its own."""

from collections.abc import Mapping
from typing import Any

from simplestack.appliances import terms
from simplestack.appliances.guest import Appliance, ApplianceInterface, Bus

_IDE_DRIVES = 2


class HardwareItems:
    """The items of a guest."""

    def __init__(self, appliance: Appliance) -> None:
        #: The fields of each item. Its number is its ``InstanceID``.
        self.fields: list[Mapping[str, Any]] = []
        #: The number of each interface's item.
        self.interface_ids: list[int] = []
        self._controllers: dict[tuple[Bus, str | None], tuple[int, int]] = {}
        self._counts: dict[Bus, int] = {}
        if appliance.cpus is not None:
            self._add(terms.CPU, f"{appliance.cpus} CPUs", VirtualQuantity=appliance.cpus)
        if appliance.memory_mib is not None:
            self._add(
                terms.MEMORY,
                f"{appliance.memory_mib} MiB of memory",
                AllocationUnits="byte * 2^20",
                VirtualQuantity=appliance.memory_mib,
            )
        for number, disk in enumerate(appliance.disks, 1):
            place = self._place(disk.bus, disk.controller)
            self._add(terms.DISK, f"Disk {number}", HostResource=f"ovf:/disk/{disk_id(number)}", **place)
        for number in range(1, appliance.cd_drives + 1):
            self._add(
                terms.CD, f"CD drive {number}", AutomaticAllocation="false", **self._place("sata", None)
            )
        for number, interface in enumerate(appliance.interfaces, 1):
            self._add_interface(interface, number)

    def _add(self, kind: int, name: str, **fields: Any) -> int:
        number = len(self.fields) + 1
        item = fields | {"ElementName": name, "InstanceID": number, "ResourceType": kind}
        # The schema wants the fields in the order of their names.
        self.fields.append({key: item[key] for key in sorted(item) if item[key] is not None})
        return number

    def _place(self, bus: Bus | None, model: str | None) -> dict[str, int]:
        """Return where the next drive of a bus is; add a controller where that is needed."""
        if bus is None:
            return {}
        parent, address = self._controllers.get((bus, model), (0, 0))
        if not parent or (bus == "ide" and address == _IDE_DRIVES):
            kind, subtype = terms.CONTROLLERS[bus]
            spelt = subtype if model is None else terms.SPELLINGS.get(model, model)
            position = self._counts.get(bus, 0)
            self._counts[bus] = position + 1
            parent, address = (
                self._add(kind, f"{bus} controller {position}", Address=position, ResourceSubType=spelt),
                0,
            )
        self._controllers[bus, model] = parent, address + 1
        return {"Parent": parent, "AddressOnParent": address}

    def _add_interface(self, interface: ApplianceInterface, number: int) -> None:
        model = interface.model
        self.interface_ids.append(
            self._add(
                terms.ETHERNET,
                f"Network interface {number}",
                Address=interface.mac,
                AutomaticAllocation="true" if interface.active else "false",
                Connection=interface.network,
                ResourceSubType=None if model is None else terms.SPELLINGS.get(model, model),
            )
        )


def disk_id(number: int) -> str:
    """Return the ID of a disk in its descriptor.

    :param number: counts from 1
    """
    return f"disk{number}"
