"""Networks, and network interfaces of guests."""

import re
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from simplestack.entities.limits import MAX_RATE_BITS, Description, Mac, Name

#: IEEE 802: the first octet of a unicast address is even.
_MULTICAST = re.compile("[0-9A-Fa-f][13579BDFbdf]:")

VlanTag = Annotated[int, Meta(ge=1, le=4094)]
#: Only false: true would not say which rate.
NoRate = Annotated[bool, Meta(extra_json_schema={"const": False})]
LockingMode = Annotated[
    Literal["network_default", "locked", "unlocked", "disabled"], Meta(extra={"words": "a locking mode"})
]
RateBits = Annotated[int, Meta(ge=0, le=MAX_RATE_BITS, extra={"words": "a whole number of bit/s"})]


class Network(Struct, frozen=True, kw_only=True):
    """A network that guests can connect to."""

    #: ID of the network. Stable and URL-safe.
    id: str
    #: Display name.
    name_label: str
    #: Bridge on the host; null if the network has none.
    bridge: str | None = None
    #: Description.
    name_description: str = ""
    #: Settings of the network that only this hypervisor has.
    other_config: dict[str, str] = {}


class NetworkCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new network on a VLAN of the physical interface that another network uses."""

    #: Display name.
    name: Name
    #: Description.
    description: Description = ""
    #: Name of the network that uses the physical interface.
    from_network: Name
    #: VLAN ID.
    vlan: VlanTag
    #: Settings of the network that only this hypervisor has.
    other_config: dict[str, str] = {}


class NetworkInterface(Struct, frozen=True, kw_only=True):
    """A guest's network interface."""

    #: MAC address: the ID of the interface within its guest.
    id: str
    #: Position of the device in the guest.
    number: str
    #: The same as ``id``.
    mac: str
    #: Name of the network; null if it is unknown.
    network: str | None
    #: Which addresses the guest may use, as XAPI's ``VIF.locking_mode``; null if the hypervisor has no such
    #: mode.
    locking_mode: str | None = None
    #: IPv4 addresses that the guest may use when ``locking_mode`` is ``locked``.
    ipv4_allowed: list[str] = []
    #: IPv6 addresses that the guest may use when ``locking_mode`` is ``locked``.
    ipv6_allowed: list[str] = []
    #: Rate limit in bit/s; null means unlimited.
    ratelimit: int | None = None
    #: Whether the interface is connected.
    active: bool


class NetworkInterfaceCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new network interface."""

    #: Name or ID of a network.
    network: Name
    #: MAC address: a unicast address. Default: a generated one.
    mac: Mac | None = None

    def __post_init__(self) -> None:
        """Reject addresses that no interface may have."""
        if self.mac is None:
            return
        if _MULTICAST.match(self.mac):
            raise ValueError(f"`mac` is the multicast address {self.mac}: send a unicast address")
        if not self.mac.strip("0:"):
            raise ValueError(f"`mac` is {self.mac}, which is no interface's: send another address, or none")


class NetworkInterfaceUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a network interface. Omitted fields keep their values."""

    #: Name or ID of the new network.
    network: Name | UnsetType = UNSET
    #: Whether the interface is connected.
    active: bool | UnsetType = UNSET
    #: Rate limit in bit/s. Null, false and 0 remove the limit.
    ratelimit: RateBits | NoRate | UnsetType | None = UNSET
    #: Which addresses the guest may use, as XAPI's ``VIF.locking_mode``.
    locking_mode: LockingMode | UnsetType = UNSET
    #: All IPv4 addresses that the guest may use when ``locking_mode`` is ``locked``.
    ipv4_allowed: list[str] | UnsetType = UNSET
    #: All IPv6 addresses that the guest may use when ``locking_mode`` is ``locked``.
    ipv6_allowed: list[str] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Reject ``ratelimit: true``, which does not say which rate."""
        if self.ratelimit is True:
            raise ValueError("`ratelimit` is true: send a whole number of bit/s, or false for no limit")
