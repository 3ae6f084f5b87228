"""Networks of the tests on bridges of Open vSwitch, and others beside them."""

from collections.abc import Callable

import libvirt

from simplestack import NetworkCreate, OperationNotSupported, SimplestackError
from simplestack_kvm.errors import translate
from simplestack_kvm.libvirtd.connection.session import KvmSession

#: A bridge of Open vSwitch, and the network that stands for all of it.
BRIDGE = "ovsbr0"
TRUNK = "trunk"
OTHER_BRIDGE = "ovsbr1"

_SWITCHED = "<forward mode='bridge'/><bridge name='{bridge}'/><virtualport type='openvswitch'/>"
_IN_GROUP = (
    "<forward mode='bridge'/><bridge name='{bridge}'/>"
    "<portgroup name='all' default='yes'><virtualport type='openvswitch'/></portgroup>"
)


def define_trunk(connection: "libvirt.virConnect") -> None:
    """Define the network `TRUNK`. Its bridge is looked for when a guest starts."""
    _define(connection, TRUNK, _SWITCHED.format(bridge=BRIDGE)).create()


def define_networks(connection: "libvirt.virConnect") -> None:
    """Define three networks of Open vSwitch, two of other kinds, and one that is not active."""
    define_trunk(connection)
    for name, inner in {
        "other trunk": _SWITCHED.format(bridge=OTHER_BRIDGE),
        "groups": _IN_GROUP.format(bridge=BRIDGE),
        "isolated": "<bridge name='isolated0'/>",
        "linux": "<forward mode='bridge'/><bridge name='isolated0'/>",
    }.items():
        _define(connection, name, inner).create()
    _define(connection, "stopped", _SWITCHED.format(bridge=BRIDGE))


def _define(connection: "libvirt.virConnect", name: str, inner: str) -> "libvirt.virNetwork":
    return connection.networkDefineXML(f"<network><name>{name}</name>{inner}</network>")


def wanted(**fields: object) -> NetworkCreate:
    """Describe a network on a VLAN."""
    return NetworkCreate(**{"name": "customer-42", "from_network": TRUNK, "vlan": 42, **fields})  # type: ignore[arg-type]  # any field of it


def definitions(session: KvmSession) -> dict[str, tuple[str, bool, bool]]:
    """Return all networks of the host, as they are defined."""
    return {
        network.name(): (network.XMLDesc(), bool(network.isActive()), bool(network.autostart()))
        for network in session.connection.listAllNetworks()
    }


def error_of(action: Callable[[], object]) -> SimplestackError:
    """Return what a client reads."""
    try:
        action()
    except NotImplementedError as error:
        return OperationNotSupported(str(error))
    except Exception as error:
        known = error if isinstance(error, SimplestackError) else translate(error)
        assert known is not None
        return known
    raise AssertionError("nothing failed")
