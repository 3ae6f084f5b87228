"""Networks and the guests' interfaces on them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from simplestack.entities.limits import MAX_RATE_BITS, Description, Mac, Name

VlanTag = Annotated[int, Meta(ge=1, le=4094)]
#: False alone; true names no rate.
NoRate = Annotated[bool, Meta(extra_json_schema={"const": False})]
LockingMode = Literal["network_default", "locked", "unlocked", "disabled"]


class Network(Struct, frozen=True, kw_only=True):
    """A network that guests' interfaces join."""

    id: str
    name_label: str
    bridge: str | None = None
    name_description: str = ""
    other_config: dict[str, str] = {}


class NetworkCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network on a VLAN of the physical interface under another network."""

    name: Name
    description: Description = ""
    #: Name of the network whose physical interface carries the VLAN.
    from_network: Name
    vlan: VlanTag
    other_config: dict[str, str] = {}


class NetworkInterface(Struct, frozen=True, kw_only=True):
    """A guest's network interface."""

    #: The MAC address.
    id: str
    #: Position of the device in the guest.
    number: str
    mac: str
    #: Name of its network.
    network: str | None
    locking_mode: str | None = None
    ipv4_allowed: list[str] = []
    ipv6_allowed: list[str] = []
    #: bit/s; None is unlimited.
    ratelimit: int | None = None
    active: bool


class NetworkInterfaceCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new network interface."""

    #: Name or id of a network.
    network: Name
    #: Made up when absent.
    mac: Mac | None = None


class NetworkInterfaceUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a network interface. A member that is absent stays as it is."""

    network: Name | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    #: bit/s; null, false and 0 lift the limit.
    ratelimit: Annotated[int, Meta(ge=0, le=MAX_RATE_BITS)] | NoRate | UnsetType | None = UNSET
    locking_mode: LockingMode | UnsetType = UNSET
    ipv4_allowed: list[str] | UnsetType = UNSET
    ipv6_allowed: list[str] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse ``ratelimit: true``, which names no rate."""
        if self.ratelimit is True:
            raise ValueError("Expected `int | false | null`, got `true` - at `$.ratelimit`")
