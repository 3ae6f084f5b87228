"""Responses of ``event.from``: objects of several classes, decoded by class."""

from msgspec import Struct, field

from simplestack_xen.xapi.records import (
    BondRecord,
    GuestMetricsRecord,
    HostRecord,
    NetworkRecord,
    PifRecord,
    Record,
    SrRecord,
    TaskRecord,
    VbdRecord,
    VdiRecord,
    VifRecord,
    VmRecord,
)


class _Event(Struct, frozen=True, kw_only=True, tag_field="class"):
    ref: str
    snapshot: Record | None = None


class _VmEvent(_Event, tag="vm", frozen=True, kw_only=True):
    snapshot: VmRecord | None = None


class _VbdEvent(_Event, tag="vbd", frozen=True, kw_only=True):
    snapshot: VbdRecord | None = None


class _VdiEvent(_Event, tag="vdi", frozen=True, kw_only=True):
    snapshot: VdiRecord | None = None


class _VifEvent(_Event, tag="vif", frozen=True, kw_only=True):
    snapshot: VifRecord | None = None


class _SrEvent(_Event, tag="sr", frozen=True, kw_only=True):
    snapshot: SrRecord | None = None


class _NetworkEvent(_Event, tag="network", frozen=True, kw_only=True):
    snapshot: NetworkRecord | None = None


class _PifEvent(_Event, tag="pif", frozen=True, kw_only=True):
    snapshot: PifRecord | None = None


class _BondEvent(_Event, tag="bond", frozen=True, kw_only=True):
    snapshot: BondRecord | None = None


class _HostEvent(_Event, tag="host", frozen=True, kw_only=True):
    snapshot: HostRecord | None = None


class _GuestMetricsEvent(_Event, tag="vm_guest_metrics", frozen=True, kw_only=True):
    snapshot: GuestMetricsRecord | None = None


class _TaskEvent(_Event, tag="task", frozen=True, kw_only=True):
    snapshot: TaskRecord | None = None


class Batch(Struct, frozen=True, kw_only=True):
    """A response of ``event.from``."""

    events: list[
        _VmEvent
        | _VbdEvent
        | _VdiEvent
        | _VifEvent
        | _SrEvent
        | _NetworkEvent
        | _PifEvent
        | _BondEvent
        | _HostEvent
        | _GuestMetricsEvent
        | _TaskEvent
    ] = field(default_factory=list)
    token: str = ""
