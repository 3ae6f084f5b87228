"""Networks and the guests' interfaces on them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from simplestack.entities.limits import MAX_RATE_BITS, Description, Mac, Name

VlanTag = Annotated[int, Meta(ge=1, le=4094)]
#: False alone; true names no rate.
NoRate = Annotated[bool, Meta(extra_json_schema={"const": False})]
LockingMode = Annotated[
    Literal["network_default", "locked", "unlocked", "disabled"], Meta(extra={"words": "a locking mode"})
]
RateBits = Annotated[int, Meta(ge=0, le=MAX_RATE_BITS, extra={"words": "a whole number of bit/s"})]


class Network(Struct, frozen=True, kw_only=True):
    """A network that guests' interfaces join."""

    #: Outlives sessions and is safe in a URL.
    id: str
    #: What people call it.
    name_label: str
    #: The bridge on the host that interfaces are plugged into, where there is one.
    bridge: str | None = None
    #: For people.
    name_description: str = ""
    #: The hypervisor's own settings of it.
    other_config: dict[str, str] = {}


class NetworkCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network on a VLAN of the physical interface under another network."""

    #: What people will call it.
    name: Name
    #: For people.
    description: Description = ""
    #: Name of the network whose physical interface carries the VLAN.
    from_network: Name
    #: The VLAN's tag.
    vlan: VlanTag
    #: The hypervisor's own settings of it.
    other_config: dict[str, str] = {}


class NetworkInterface(Struct, frozen=True, kw_only=True):
    """A guest's network interface."""

    #: The MAC address.
    id: str
    #: Position of the device in the guest.
    number: str
    #: The same as ``id``.
    mac: str
    #: Name of its network.
    network: str | None
    #: Which addresses the guest may use, as XAPI's ``VIF.locking_mode``; null where there is no such thing.
    locking_mode: str | None = None
    #: IPv4 addresses that the guest may use while ``locking_mode`` is ``locked``.
    ipv4_allowed: list[str] = []
    #: IPv6 addresses that the guest may use while ``locking_mode`` is ``locked``.
    ipv6_allowed: list[str] = []
    #: bit/s; null is unlimited.
    ratelimit: int | None = None
    #: Whether it is plugged in.
    active: bool


class NetworkInterfaceCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new network interface."""

    #: Name or id of a network.
    network: Name
    #: Made up when absent.
    mac: Mac | None = None


class NetworkInterfaceUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a network interface. A member that is absent stays as it is."""

    #: Name or id of the network to move to.
    network: Name | UnsetType = UNSET
    #: Whether it is plugged in.
    active: bool | UnsetType = UNSET
    #: bit/s; null, false and 0 lift the limit.
    ratelimit: RateBits | NoRate | UnsetType | None = UNSET
    #: Which addresses the guest may use, as XAPI's ``VIF.locking_mode``.
    locking_mode: LockingMode | UnsetType = UNSET
    #: All IPv4 addresses that the guest may use while ``locking_mode`` is ``locked``.
    ipv4_allowed: list[str] | UnsetType = UNSET
    #: All IPv6 addresses that the guest may use while ``locking_mode`` is ``locked``.
    ipv6_allowed: list[str] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse ``ratelimit: true``, which names no rate."""
        if self.ratelimit is True:
            raise ValueError("`ratelimit` is true: send a whole number of bit/s, or false for no limit")
