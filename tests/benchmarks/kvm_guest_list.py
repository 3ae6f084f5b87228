"""What a list of guests costs on a real libvirtd, beside the other ways to ask for it.

Ten of the domains run (QEMU's software emulation, paused), each has a disk. `by hand` is the best mix of
libvirt's calls that tells as much as ours, without time limits and without templates. The others tell neither
disks nor addresses. Some of it is measured 5 ms away, too, and in round trips.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import libvirt

from benchmarks.comparisons import Comparison, Goal, milliseconds, take_turns
from benchmarks.kvm_guest_list_by_hand import listed_by_hand
from benchmarks.scale import Scale
from kvm.counterparts import libvirtd as counterpart
from kvm.counterparts.libvirtd import Libvirtd
from kvm.counterparts.relay import Relay, relay
from simplestack import Target
from simplestack_kvm.hooks.guests import guest_list
from simplestack_kvm.libvirtd import listing
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

RUNNING = 10
FAR_SECONDS = 0.005
OURS = "guest_list"
#: What is compared 5 ms away, too: the others take minutes, or as long.
_FAR_WAYS = (OURS, "by hand", "guest_list, first of its process", "guest_list, id and name", "info")
_GOALS = {"by hand": Goal(of="ratio", at_most=1.2)}
FIELDS = frozenset({"id", "name", "cpus", "memory", "hdd", "paravirtualized", "ip", "state", "host"})
_DOMAIN = """
<domain type='qemu'><name>benchmark-{number}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>
<target dev='vda' bus='virtio'/></disk>
<interface type='network'><source network='{network}'/><model type='virtio'/></interface>
</devices></domain>
"""
_VOLUME = (
    "<volume><name>benchmark-{number}</name><capacity unit='GiB'>1</capacity>"
    "<target><format type='qcow2'/></target></volume>"
)


def add_domains(connection: libvirt.virConnect, daemon: Libvirtd, first: int, end: int) -> None:
    """Define domains, and start the first ten of all."""
    pool = connection.storagePoolLookupByName(daemon.pool)
    for number in range(first, end):
        path = pool.createXML(_VOLUME.format(number=number)).path()
        text = _DOMAIN.format(number=number, path=path, network=daemon.network)
        domain = connection.defineXML(text)
        if number < RUNNING:
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)


def ways(session: KvmSession) -> dict[str, Callable[[], object]]:
    """Return the ways to list guests; the first is ours."""
    connection = session.connection
    some = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON

    def looked_up() -> object:
        domains = [connection.lookupByName(name) for name in connection.listDefinedDomains()]
        domains += [connection.lookupByID(int(number)) for number in connection.listDomainsID() or []]
        return [domain.info() for domain in domains]

    def first() -> object:
        listing._descriptions.clear()  # as in a process that has not listed them before
        return guest_list(session, FIELDS)

    return {
        OURS: lambda: guest_list(session, FIELDS),
        "by hand": lambda: listed_by_hand(connection),
        "guest_list, first of its process": first,
        "guest_list, id and name": lambda: guest_list(session, frozenset({"id", "name", "state"})),
        "lookup + info": looked_up,
        "info": lambda: [domain.info() for domain in connection.listAllDomains()],
        "info + XMLDesc": lambda: [(d.info(), d.XMLDesc()) for d in connection.listAllDomains()],
        "stats state+vcpu+balloon": lambda: connection.getAllDomainStats(some),
        "stats all": lambda: connection.getAllDomainStats(0),
    }


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare the ways at growing numbers of domains."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    daemon = counterpart.start()
    try:
        with tempfile.TemporaryDirectory() as folder, relay(Path(folder, "relay"), daemon.socket) as far:
            yield from _compare(daemon, far, scale)
    finally:
        daemon.stop()


def _compare(daemon: Libvirtd, far: Relay, scale: Scale) -> Iterator[Comparison]:
    settings = KvmSettings(transport="unix", socket=daemon.socket)
    connections = [libvirt.open(uri) for uri in (daemon.uri, far.uri)]
    near_ways, far_ways = [
        ways(KvmSession(connection, settings, Target("localhost"))) for connection in connections
    ]
    far_ways = {name: far_ways[name] for name in _FAR_WAYS}
    made = 0
    for count in scale.domains:
        add_domains(connections[0], daemon, made, count)
        made = count
        what = f"guest_list of {count:,}, {min(count, RUNNING)} of them running"
        near = take_turns(scale.rounds, {name: milliseconds(way) for name, way in near_ways.items()})
        yield from _comparisons(what, "ms", near)
        trips = take_turns(1, {name: partial(_round_trips, far, way) for name, way in far_ways.items()})
        yield from _comparisons(what, "round trips", trips)
        far.delay_seconds = FAR_SECONDS
        distant = take_turns(scale.rounds, {name: milliseconds(way) for name, way in far_ways.items()})
        far.delay_seconds = 0
        yield from _comparisons(f"{what}, {FAR_SECONDS * 1000:g} ms away", "ms", distant)
    for connection in connections:
        connection.close()


def _round_trips(far: Relay, way: Callable[[], object]) -> float:
    before = far.calls
    way()
    return far.calls - before


def _comparisons(what: str, unit: str, figures: dict[str, list[float]]) -> Iterator[Comparison]:
    for name, other in figures.items():
        if name != OURS:
            yield Comparison(
                benchmark="kvm-guest-list",
                what=what,
                beside=name,
                unit=unit,
                ours=figures[OURS],
                other=other,
                goal=_GOALS.get(name),
            )
