"""Showing one guest of a real libvirtd over TCP with SASL, beside the same libvirt calls made by hand.

Warm, the session comes from the pool and the connection by hand is open; cold, both connect, log in and hang
up each time. That the calls are the same is checked before anything is measured.

Then wrk loads the service, whose requests share no connection, beside one whose requests do.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import libvirt

from benchmarks.comparisons import Comparison, milliseconds, take_turns
from benchmarks.kvm_sharing import compare_sharing
from benchmarks.scale import Scale
from benchmarks.shown_guests import showing
from kvm.counterparts import libvirtd as counterpart
from kvm.counterparts.libvirtd import Libvirtd
from simplestack import Stack, Target
from simplestack_kvm.hooks.guests import guest_info
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings
from support.service import running_service, token
from support.threads import profiled

_DOMAIN = """
<domain type='qemu'><name>benchmark</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>
"""
_VOLUME = (
    "<volume><name>benchmark</name><capacity unit='GiB'>1</capacity>"
    "<target><format type='qcow2'/></target></volume>"
)
_SETTINGS = '[hypervisors.kvm]\nallowed_hosts = ["127.0.0.1"]\ntransport = "tcp"\n'
_WARM_CALLS, _COLD_CALLS = 200, 20
#: Functions that ask libvirtd; others read what the client has.
_ROUND_TRIPS = frozenset(
    {
        "virDomainLookupByUUIDString",
        "virDomainGetState",
        "virDomainHasManagedSaveImage",
        "virDomainGetXMLDesc",
        "virDomainIsActive",
        "virDomainGetBlockInfo",
        "virConnectGetHostname",
        "virStorageVolLookupByPath",
        "virStorageVolGetInfo",
    }
)


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare warm and cold calls, as a library and over HTTP."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    daemon = counterpart.start()
    try:
        yield from _compare(daemon, scale)
    finally:
        daemon.stop()


def _compare(daemon: Libvirtd, scale: Scale) -> Iterator[Comparison]:
    connection = _connect(daemon)
    pool = connection.storagePoolLookupByName(daemon.pool)
    path = pool.createXML(_VOLUME).path()
    uuid = connection.defineXML(_DOMAIN.format(path=path)).UUIDString()
    _check_same(connection, uuid, path)
    place = f"127.0.0.1:{daemon.tcp_port}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "stack.toml"
        config.write_text(_SETTINGS)
        stack = Stack("kvm", place, daemon.username, daemon.password, config=config)

        def cold_stack() -> None:
            with stack:  # logs out at its end
                stack.guest_info(uuid)

        def cold_by_hand() -> None:
            own = _connect(daemon)
            _by_hand(own, uuid, path)
            own.close()

        path_of_guest = f"/kvm/{place.replace(':', '%3A')}/guests/{uuid}"
        header = {"X-Simplestack-Hypervisor-Token": token(daemon.username, daemon.password)}
        with (
            running_service(folder / "service", _SETTINGS) as service,
            showing(service, path_of_guest, header) as over_http,
        ):
            subjects = {
                "by hand": milliseconds(lambda: _by_hand(connection, uuid, path), _WARM_CALLS),
                "warm": milliseconds(lambda: stack.guest_info(uuid), _WARM_CALLS),
                "http": milliseconds(over_http, _WARM_CALLS),
                "cold": milliseconds(cold_stack, _COLD_CALLS),
                "cold by hand": milliseconds(cold_by_hand, _COLD_CALLS),
            }
            found = take_turns(scale.rounds, subjects)
        open_, anew = "the same calls, open connection", "the same calls, new connection"
        yield _comparison("guest_info, warm, Stack", open_, found["warm"], found["by hand"])
        yield _comparison("guest_info, warm, over HTTP", open_, found["http"], found["by hand"])
        yield _comparison("guest_info, cold, Stack", anew, found["cold"], found["cold by hand"])
        yield _comparison("guest_info, warm, over HTTP", anew, found["http"], found["cold by hand"])
        yield from compare_sharing(daemon, uuid, folder, scale)
    connection.close()


def _connect(daemon: Libvirtd) -> libvirt.virConnect:
    def give(questions: list[list[str | int | None]], _context: None) -> int:
        for question in questions:
            is_name = question[0] == libvirt.VIR_CRED_AUTHNAME
            question[4] = daemon.username if is_name else daemon.password
        return 0

    kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
    return libvirt.openAuth(f"qemu+tcp://127.0.0.1:{daemon.tcp_port}/system", [kinds, give, None], 0)


def _by_hand(connection: libvirt.virConnect, uuid: str, path: str) -> None:
    """Ask for all that a guest's entity tells."""
    domain = connection.lookupByUUIDString(uuid)
    domain.state()
    domain.hasManagedSaveImage()
    domain.XMLDesc()
    domain.ID()
    connection.storageVolLookupByPath(path).info()


def _check_same(connection: libvirt.virConnect, uuid: str, path: str) -> None:
    """Pass when the hook calls libvirt as `_by_hand` does."""
    session = KvmSession(connection, KvmSettings(), Target("127.0.0.1"))
    hook = _traced(lambda: guest_info(session, uuid))
    hand = _traced(lambda: _by_hand(connection, uuid, path))
    if sorted(hook) != sorted(hand):
        raise SystemExit(f"guest_info calls {hook}, this benchmark {hand}: they must be the same")


def _traced(call: Callable[[], object]) -> list[str]:
    """Return the names of the libvirt functions that are called."""
    names: list[str] = []

    def profile(_frame: FrameType, event: str, argument: object) -> None:
        name = getattr(argument, "__name__", "")
        if event == "c_call" and name in _ROUND_TRIPS:
            names.append(name)

    with profiled(profile):
        call()
    return names


def _comparison(what: str, beside: str, ours: list[float], other: list[float]) -> Comparison:
    return Comparison(benchmark="kvm-sessions", what=what, beside=beside, unit="ms", ours=ours, other=other)
