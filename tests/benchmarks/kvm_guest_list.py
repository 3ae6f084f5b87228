"""What a list of guests costs on a real libvirtd, beside the other ways to ask for it.

Ten of the domains run (QEMU's software emulation, paused), each has a disk. Ours alone tells each guest's
disks and address: the others are what of it they can say at most.
"""

from collections.abc import Callable, Iterator

import libvirt

from benchmarks.comparisons import Comparison, milliseconds, take_turns
from benchmarks.scale import Scale
from kvm.counterparts import libvirtd as counterpart
from kvm.counterparts.libvirtd import Libvirtd
from simplestack import Target
from simplestack_kvm.guests import guest_list
from simplestack_kvm.session import KvmSession
from simplestack_kvm.settings import KvmSettings

RUNNING = 10
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

    return {
        "guest_list": lambda: guest_list(session, FIELDS),
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
        connection = libvirt.open(daemon.uri)
        settings = KvmSettings(transport="unix", socket=daemon.socket)
        choices = ways(KvmSession(connection, settings, Target("localhost")))
        made = 0
        for count in scale.domains:
            add_domains(connection, daemon, made, count)
            made = count
            found = take_turns(scale.rounds, {name: milliseconds(way) for name, way in choices.items()})
            ours = found.pop("guest_list")
            for name, other in found.items():
                yield Comparison(
                    benchmark="kvm-guest-list",
                    what=f"guest_list of {count:,}, {min(count, RUNNING)} of them running",
                    beside=name,
                    unit="ms",
                    ours=ours,
                    other=other,
                )
        connection.close()
    finally:
        daemon.stop()
