"""What a list of guests costs on a real libvirtd, beside the other ways to ask for it.

    python tests/benchmarks/kvm_guest_list.py [--domains 10 100 1000] [--rounds 7] [--json FILE]

Ten of the domains run (QEMU's software emulation, paused), each has a disk. The ways take turns in one run,
so that what else the machine does falls on all of them; the ratio is of each round's times to ours. Needs
root and what tests/kvm/counterparts/apt-packages.txt lists; a libvirtd of its own is started and stopped.

Ours alone tells each guest's disks and address: the others are what of it they can say at most.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import libvirt

from simplestack import Target
from simplestack_kvm.guests import guest_list
from simplestack_kvm.session import KvmSession
from simplestack_kvm.settings import KvmSettings

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kvm.counterparts import libvirtd as counterpart
from kvm.counterparts.libvirtd import Libvirtd

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


def measure(session: KvmSession, rounds: int) -> dict[str, dict[str, float]]:
    """Let the ways take turns; return milliseconds and the ratio to ours, medians."""
    choices = ways(session)
    seconds: dict[str, list[float]] = {name: [] for name in choices}
    for number in range(rounds + 1):
        for name, way in choices.items():
            start = time.perf_counter()
            way()
            if number > 0:  # the first round warms caches
                seconds[name].append(time.perf_counter() - start)
    ours = seconds["guest_list"]
    return {
        name: {
            "ms": 1000 * statistics.median(times),
            "ratio": statistics.median(other / mine for other, mine in zip(times, ours, strict=True)),
        }
        for name, times in seconds.items()
    }


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description="compare ways to list the guests of a libvirtd")
    parser.add_argument("--domains", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    libvirt.registerErrorHandler(lambda *_: None, None)
    daemon = counterpart.start()
    results: dict[int, dict[str, dict[str, float]]] = {}
    try:
        connection = libvirt.open(daemon.uri)
        settings = KvmSettings(transport="unix", socket=daemon.socket)
        session = KvmSession(connection, settings, Target("localhost"))
        made = 0
        for count in sorted(arguments.domains):
            add_domains(connection, daemon, made, count)
            made = count
            results[count] = measure(session, arguments.rounds)
            print(f"\n{count} domains, {min(count, RUNNING)} of them running")  # noqa: T201  its output
            for name, result in results[count].items():
                print(f"  {name:26} {result['ms']:9.1f} ms {result['ratio']:7.2f} x ours")  # noqa: T201  its output
        connection.close()
    finally:
        daemon.stop()
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
