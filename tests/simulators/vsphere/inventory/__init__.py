"""What a simulator begins with: the managers, a datacenter, hosts, storage, networks and VMs."""

import importlib
from typing import TYPE_CHECKING

from simulators.vsphere.inventory.esxi import build_esxi
from simulators.vsphere.inventory.vcenter import build_vcenter

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator


#: Modules that only register derived properties.
for _name in ("guest_properties", "relations"):
    importlib.import_module(f"{__name__}.{_name}")


def build(simulator: "Simulator", vms: int) -> None:
    """Make everything that the product of a simulator has.

    :param vms: number of VMs
    """
    if simulator.product.is_vcenter:
        build_vcenter(simulator, vms)
    else:
        build_esxi(simulator, vms)
