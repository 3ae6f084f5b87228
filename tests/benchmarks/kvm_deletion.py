"""What the deletion of a guest costs on a host with many volumes, near and 5 ms away.

Every volume is asked what it is based on, in a round trip each. Ours shares that among several connections.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import libvirt

from benchmarks.comparisons import Comparison, Goal, take_turns
from benchmarks.scale import Scale
from kvm.counterparts import libvirtd as counterpart
from kvm.counterparts.libvirtd import Libvirtd
from kvm.counterparts.relay import Relay, relay
from kvm.domains import file_disk, foreign
from simplestack import GIB, Target
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

ROUND_TRIPS_SECONDS = (0.0, 0.005)
_VOLUME = "<volume><name>{}</name><capacity>{}</capacity><target><format type='qcow2'/></target></volume>"


def add_volumes(daemon: Libvirtd, connection: libvirt.virConnect, count: int) -> None:
    """Make many volumes: copies of the header of one."""
    pool = connection.storagePoolLookupByName(daemon.pool)
    first = pool.createXML(_VOLUME.format("benchmark-first.qcow2", GIB))
    header = daemon.pool_folder.joinpath(first.name()).read_bytes()
    for number in range(count - 1):
        daemon.pool_folder.joinpath(f"benchmark-{number}.qcow2").write_bytes(header)
    pool.refresh()


def deletion(daemon: Libvirtd, local: libvirt.virConnect, session: KvmSession) -> Callable[[], float]:
    """Return what says how many milliseconds the deletion of a guest with one disk takes."""

    def measured() -> float:
        volume = local.storagePoolLookupByName(daemon.pool).createXML(_VOLUME.format("mine.qcow2", GIB))
        with foreign(local, file_disk(volume.path(), "vda", "virtio")) as domain:
            started = time.perf_counter()
            guest_delete(session, domain.UUIDString())
            taken = 1000 * (time.perf_counter() - started)
        if daemon.pool_folder.joinpath("mine.qcow2").exists():
            raise RuntimeError("the volume of the deleted guest is still there")
        return taken

    return measured


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare the deletion with itself over one connection, and count the calls of both."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    daemon = counterpart.start(network=False)
    try:
        with (
            closing(libvirt.open(daemon.uri)) as local,
            tempfile.TemporaryDirectory() as folder,
            relay(Path(folder, "relay"), daemon.socket) as far,
        ):
            add_volumes(daemon, local, scale.volumes)
            for far.delay_seconds in ROUND_TRIPS_SECONDS:
                yield from _compare(scale, daemon, local, far)
    finally:
        daemon.stop()


def _compare(scale: Scale, daemon: Libvirtd, local: libvirt.virConnect, far: Relay) -> Iterator[Comparison]:
    def connect() -> libvirt.virConnect:
        return libvirt.open(far.uri)

    with closing(connect()) as connection:
        ours = KvmSession(connection, KvmSettings(), Target("localhost"), connect)
        alone = replace(ours, reopen=None)
        subjects = {"ours": deletion(daemon, local, ours), "alone": deletion(daemon, local, alone)}
        times = take_turns(max(2, scale.rounds // 2), subjects)
        calls = {name: _calls(far, subject) for name, subject in subjects.items()}
    what = f"guest_delete beside {scale.volumes:,} volumes, {1000 * far.delay_seconds:g} ms away"
    yield Comparison(
        benchmark="kvm-deletion",
        what=what,
        beside="one connection",
        unit="ms",
        ours=times["ours"],
        other=times["alone"],
        goal=Goal(of="ratio", at_most=0.5) if far.delay_seconds else None,
    )
    yield Comparison(
        benchmark="kvm-deletion",
        what=f"{what}: calls",
        beside="one connection",
        unit="calls",
        ours=[calls["ours"]],
        other=[calls["alone"]],
    )


def _calls(far: Relay, subject: Callable[[], float]) -> float:
    before = far.calls
    subject()
    return float(far.calls - before)
