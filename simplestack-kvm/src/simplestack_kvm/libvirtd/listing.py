"""The list of all guests.

Round trips: a constant number for the guests that are off, however many, and two for each pool. Each guest
that runs takes one for its description, one for each disk, and one or two for an address that no DHCP lease
tells. A guest that is off takes one the first time that this process lists it, and each time while libvirt's
statistics do not confirm what its description said: where a disk lies in no active pool, for example, or is
named by pool and volume.

What may hang comes last. What one guest or one storage does not tell is None; the list is there.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simplestack import Busy, GuestState, HypervisorError
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.connection.bounded import NoResponse
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.parallel_reads import read_all
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.records import (
    DomainRecord,
    domain_record,
    state_of_code,
    stats_drives,
)
from simplestack_kvm.libvirtd.guests.templates import template_ids
from simplestack_kvm.libvirtd.networks.addresses import AddressBook
from simplestack_kvm.libvirtd.storage.sizes import STORAGE_SECONDS, Survey, within_storage_limit
from simplestack_kvm.sdk import libvirt

_log = logging.getLogger(__name__)

#: Fields that the cheapest statistics tell.
_CHEAP_FIELDS = frozenset({"id", "name", "state", "host"})
#: How much longer the storages may take for each guest whose disks they are asked for together.
_SECONDS_PER_GUEST = 0.02
#: Descriptions that are kept, of all hosts together: some KiB each.
_MOST_DESCRIPTIONS = 20_000

#: Where the drives of guests that are off lay in an earlier list, by host and guest. libvirt tells the sizes
#: of all drives in one call, which must not be made before it is known where the drives lie. It tells where
#: they lie as well. A description that this does not confirm is read again.
_descriptions: dict[tuple[object, str], DomainRecord] = {}
_descriptions_lock = threading.Lock()


@dataclass(kw_only=True, slots=True)
class Row:
    """A guest of the list, and what is known of it."""

    uuid: str
    domain: "libvirt.virDomain"
    state: GuestState
    #: Of a guest that is off: its CPUs and its memory.
    stats: Mapping[str, Any] | None = None
    record: DomainRecord | None = None
    #: Whether the record is an earlier list's, which nothing has confirmed yet.
    is_earlier: bool = False
    #: The sizes of the record's disks.
    sizes: Sequence[int | None] | None = None
    ip: str | None = None
    is_gone: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it ran when the list was made; no round trip."""
        return self.domain.ID() != -1

    def describe(self) -> None:
        """Read the domain's description. What libvirt cannot tell, or we cannot read, stays unknown."""
        self.record, self.is_gone = _described(self.domain)


def list_guests(session: KvmSession, fields: frozenset[str]) -> list[Row]:
    """Return all domains that are there at the end and no templates, with what these fields need."""
    has_details = not fields <= _CHEAP_FIELDS
    rows = _rows(session, fields, has_details=has_details)
    if has_details:
        for row in rows:
            if row.stats is None:
                row.describe()
        book = AddressBook(session)
        active = [row for row in rows if "ip" in fields and row.is_active and row.record is not None]
        for row in active:
            row.ip = book.address_without_agent(row.domain, _of(row))
        if not fields.isdisjoint(("hdd", "paravirtualized")):
            _describe_off(session, rows)
            try:
                _look_at_storages(session, rows, with_sizes="hdd" in fields)
            except (NoResponse, Busy) as error:
                _log.warning(
                    "guests of %s are listed without hdd, or as an earlier list had them: %s",
                    session.target,
                    error,
                )
        for row in active:
            row.ip = row.ip or book.address_by_agent(row.domain, _of(row))
    return [row for row in rows if not row.is_gone]


def _rows(session: KvmSession, fields: frozenset[str], *, has_details: bool) -> list[Row]:
    connection = session.connection
    states = connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE)
    saved: set[str] = set()
    if not fields.isdisjoint(("state", "host")):
        flags = libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE
        saved = {domain.UUIDString() for domain in connection.listAllDomains(flags)}
    off: dict[str, Mapping[str, Any]] = {}
    if has_details:
        # Those of guests that run would ask QEMU, each one.
        wanted = libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON
        flags = (
            libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE
            | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        )
        off = {domain.UUIDString(): stats for domain, stats in connection.getAllDomainStats(wanted, flags)}
    templates = template_ids(session)
    rows = []
    for domain, stats in states:
        uuid, code = domain.UUIDString(), int(stats.get("state.state", libvirt.VIR_DOMAIN_NOSTATE))
        if code == libvirt.VIR_DOMAIN_SHUTOFF and uuid in templates:
            continue  # one that another tool has started is listed
        row = Row(uuid=uuid, domain=domain, state=state_of_code(code, saved=uuid in saved))
        if code == libvirt.VIR_DOMAIN_SHUTOFF:
            row.stats = off.get(uuid)
        rows.append(row)
    return rows


def _describe_off(session: KvmSession, rows: Sequence[Row]) -> None:
    new = []
    for row in rows:
        if row.stats is not None:
            row.record = _descriptions.get((session.target, row.uuid))
            row.is_earlier = row.record is not None
            if not row.is_earlier:
                new.append(row)
    _describe(session, new)


def _describe(session: KvmSession, rows: Sequence[Row]) -> None:
    """Read the descriptions of guests that are off, as far as there is time."""
    by_uuid = {row.uuid: row for row in rows}

    def find(connection: "libvirt.virConnect") -> dict[str, "libvirt.virDomain"]:
        if connection is session.connection:
            return {uuid: row.domain for uuid, row in by_uuid.items()}
        return {
            domain.UUIDString(): domain
            for domain in connection.listAllDomains()
            if domain.UUIDString() in by_uuid
        }

    _, described = read_all(session, find, _described)
    for uuid, (record, is_gone) in described.items():
        row = by_uuid[uuid]
        row.record, row.is_gone, row.is_earlier = record, is_gone, False
        _keep(session, row)


def _keep(session: KvmSession, row: Row) -> None:
    """Keep the description of a guest that is off for later lists, or forget one that is out of date."""
    key = (session.target, row.uuid)
    with _descriptions_lock:
        _descriptions.pop(key, None)
        if row.record is not None:
            while len(_descriptions) >= _MOST_DESCRIPTIONS:
                del _descriptions[next(iter(_descriptions))]  # the oldest
            _descriptions[key] = row.record


def _described(domain: "libvirt.virDomain") -> tuple[DomainRecord | None, bool]:
    """Return a domain's description, if it can be read, and whether the domain is gone."""
    try:
        return domain_record(parse_document(domain.XMLDesc())), False
    except (libvirt.libvirtError, HypervisorError, ValueError) as error:
        if isinstance(error, libvirt.libvirtError):
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None, True
            if not has_reason(error):
                raise
        _log.warning("guest %s is listed without details", domain.UUIDString(), exc_info=True)
        return None, False


def _look_at_storages(session: KvmSession, rows: Sequence[Row], *, with_sizes: bool) -> None:
    """Find out whether descriptions of earlier lists still hold, and the sizes of disks.

    What is not found out by the time of an error stays as it is: a size is unknown then.

    :raises NoResponse: a storage hangs
    :raises Busy: other requests wait for the host's storages
    """
    has_disks = any(row.record is not None and row.record.disks for row in rows)
    if not any(row.is_earlier for row in rows) and not (with_sizes and has_disks):
        return
    survey = Survey(session)
    _confirm(session, survey, [row for row in rows if row.stats is not None and row.record is not None])
    if with_sizes:
        for row in rows:
            if row.sizes is None and row.record is not None and row.record.disks:
                row.sizes = within_storage_limit(session, partial(survey.sizes, row.record.disks))


def _confirm(session: KvmSession, survey: Survey, off: Sequence[Row]) -> None:
    """Compare the descriptions of guests that are off with libvirt's statistics, which tell sizes as well.

    A description of an earlier list that they do not confirm is read again.
    """
    drives = within_storage_limit(
        session, partial(_peek, session, survey, off), STORAGE_SECONDS + _SECONDS_PER_GUEST * len(off)
    )
    outdated = []
    for row in off:
        record, told = _of(row), drives.get(row.uuid)
        # They tell neither path nor size of a drive that the domain names by pool and volume.
        has_volumes = any(isinstance(source, tuple) for _, source in record.drives)
        if told is not None and [(drive.target, drive.path) for drive in told] != _places(record):
            outdated.append(row)
        elif told is not None and not has_volumes:
            row.is_earlier = False
            capacities = {drive.target: drive.capacity_bytes for drive in told}
            row.sizes = [capacities[disk.target] for disk in record.disks]
        elif row.is_earlier:
            outdated.append(row)
    _describe(session, outdated)


def _peek(session: KvmSession, survey: Survey, rows: Sequence[Row]) -> dict[str, Any]:
    """Let libvirt look at the drives of guests that are off and have all drives in pools; by UUID."""
    domains = [
        row.domain
        for row in rows
        if all(source is None or survey.knows(source) for _, source in _of(row).drives)
    ]
    if not domains:
        return {}
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    all_stats = session.connection.domainListGetStats(domains, libvirt.VIR_DOMAIN_STATS_BLOCK, flags)
    return {domain.UUIDString(): stats_drives(stats) for domain, stats in all_stats}


def _places(record: DomainRecord) -> list[tuple[str, str | None]]:
    """Return what libvirt's statistics would say of a domain's drives."""
    return [(target, source if isinstance(source, str) else None) for target, source in record.drives]


def _of(row: Row) -> DomainRecord:
    """Return the description of a row that has one."""
    if row.record is None:
        raise ValueError(f"guest {row.uuid} has no description")
    return row.record
