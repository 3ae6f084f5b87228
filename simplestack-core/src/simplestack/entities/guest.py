"""Guests: virtual machines, whatever their hypervisor calls them."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from simplestack.entities.limits import Cpus, MemoryMiB, Name, SizeGiB


class GuestState(StrEnum):
    """Power states. ``PAUSED`` covers paused in memory and suspended to disk."""

    STARTED = "STARTED"
    STOPPED = "STOPPED"
    PAUSED = "PAUSED"


class Guest(Struct, frozen=True, kw_only=True):
    """A guest as every hypervisor shows it. A plugin may return a subclass with more members."""

    #: Outlives sessions and is safe in a URL; a UUID.
    id: str
    #: What people call it.
    name: str
    #: Virtual CPUs; null where the hypervisor does not say how many.
    cpus: int | None
    #: MiB; null where the hypervisor does not say how much.
    memory: int | None
    #: GiB, the sum of the guest's disks, 0 without any; null while the size of one of them is unknown.
    hdd: float | None
    #: Whether it uses paravirtual devices; null where the hypervisor does not tell.
    paravirtualized: bool | None = None
    #: Whether the hypervisor's tools in the guest are current; null where that is not known.
    tools_up_to_date: bool | None = None
    #: The first address known.
    ip: str | None = None
    #: Its power state.
    state: GuestState
    #: Name of the host it runs on.
    host: str | None = None


class NewDisk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty disk that is made together with its guest."""

    #: GiB
    size: SizeGiB
    #: The hypervisor makes one up when absent.
    name: Name | None = None
    #: Id or name of the storage that holds it; the guest's ``storage`` by default.
    storage: Name | None = None


class NewNetworkInterface(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network interface that is made together with its guest."""

    #: Name or id of a network.
    network: Name


class GuestCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new guest shall be: a copy of ``template``, or built from ``image`` and ``disks``."""

    #: What people will call it.
    name: Name
    #: MiB. Needed unless a template gives it.
    memory: MemoryMiB | None = None
    #: 1, or as many as the template has.
    cpus: Cpus | None = None
    #: Id or name of what to clone.
    template: Name | None = None
    #: Name of a volume in a storage; its copy becomes the first disk, which the guest boots from.
    image: Name | None = None
    #: Empty disks, after the image's.
    disks: list[NewDisk] = []
    #: In the order of their devices.
    network_interfaces: list[NewNetworkInterface] = []
    #: Name of an ISO image that is put into the guest's CD drive.
    iso: Name | None = None
    #: Id or name of the storage for disks that name none.
    storage: Name | None = None
    #: Whether it gets paravirtual devices; the template's or the hypervisor's habit when absent.
    paravirtualized: bool | None = None
    #: Whether it is started once it exists.
    start: bool = False

    #: What `__post_init__` refuses, as JSON Schema says it.
    schema_rules: ClassVar[dict[str, object]] = {
        "anyOf": [
            {"required": [member], "properties": {member: {"not": {"type": "null"}}}}
            for member in ("memory", "template")
        ],
        "not": {
            "required": ["template", "image"],
            "properties": {"template": {"type": "string"}, "image": {"type": "string"}},
        },
    }

    def __post_init__(self) -> None:
        """Refuse what no hypervisor could make sense of."""
        if self.memory is None and self.template is None:
            raise ValueError("`memory` is missing: send a whole number of MiB, or the `template` to copy")
        if self.template is not None and self.image is not None:
            raise ValueError("`template` and `image` are both given: send one of them")


class GuestUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a guest. A member that is absent stays as it is."""

    #: The new name.
    name: Name | UnsetType = UNSET
    #: MiB
    memory: MemoryMiB | UnsetType = UNSET
    #: Virtual CPUs.
    cpus: Cpus | UnsetType = UNSET
    #: GiB. Grows the last disk so that the sum of the disks is this; less than the sum is refused.
    hdd: SizeGiB | UnsetType = UNSET
    #: Whether it gets paravirtual devices.
    paravirtualized: bool | UnsetType = UNSET
    #: Whether the guest is a template.
    template: bool | UnsetType = UNSET


class GuestClone(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name of a guest's copy."""

    #: What people will call the copy.
    name: Name


class PowerRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The power action asked for."""

    #: ``stop`` asks the guest's operating system to shut down, ``force_stop`` cuts the power.
    state: Annotated[
        Literal["start", "stop", "force_stop", "pause", "resume"], Meta(extra={"words": "a power state"})
    ]


class RebootRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``force`` resets the guest without asking it."""

    #: Whether to reset the guest without asking its operating system.
    force: bool = False


class ActionResult(Struct, frozen=True, kw_only=True):
    """The answer to a power action that succeeded."""

    #: The power action that was asked for, or ``reboot``.
    action: str
    #: Always ``ok``: what fails is an error.
    message: str = "ok"
