"""Showing one guest of a simulated XAPI through the service, beside the same messages by XenServer's SDK.

That the messages are the same is checked before anything is measured. The simulator takes no time for a
message, or 5 ms, about what a busy master takes. From login to logout they are the same, and one more that
finds the guest.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.comparisons import Comparison, Goal, milliseconds, take_turns
from benchmarks.scale import Scale
from benchmarks.shown_guests import showing
from benchmarks.xapi import Host, hang_up, xapi
from support.service import running_service, token
from support.xapi import PASSWORD, USER

_WARM_CALLS, _COLD_CALLS = 100, 20
_NULL = "OpaqueRef:NULL"


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare warm and cold requests, at two latencies."""
    with tempfile.TemporaryDirectory() as name:
        for latency_ms in (0, 5):
            folder = Path(name) / str(latency_ms)
            with xapi(folder, "--latency", str(latency_ms / 1000)) as host:
                yield from _compare(host, folder, latency_ms, scale)


def _compare(host: Host, folder: Path, latency_ms: int, scale: Scale) -> Iterator[Comparison]:
    session = host.connect()
    vm = session.xenapi.VM.get_by_name_label("vm-0")[0]
    session.xenapi.VM.start(vm, False, False)
    uuid = session.xenapi.VM.get_uuid(vm)
    with running_service(folder / "service", host.toml) as service:
        header = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}

        def anew() -> None:
            own = host.connect()
            _by_sdk(own, own.xenapi.VM.get_by_uuid(uuid))
            hang_up(own)

        with showing(service, f"/xen/{host.place}/guests/{uuid}", header) as ours:
            _check_same(host, ours, lambda: _by_sdk(session, vm))
            subjects = {
                "ours": milliseconds(ours, _WARM_CALLS),
                "sdk": milliseconds(lambda: _by_sdk(session, vm), _WARM_CALLS),
                "anew": milliseconds(anew, _COLD_CALLS),
            }
            found = take_turns(scale.rounds, subjects)
    hang_up(session)
    what = f"GET of a guest, {latency_ms} ms a message"
    goal = Goal(of="ratio", at_most=1.10) if latency_ms else Goal(of="difference", at_most=1)
    yield _comparison(what, "the SDK, open session", found["ours"], found["sdk"], goal)
    yield _comparison(
        what, "the SDK, login to logout", found["ours"], found["anew"], Goal(of="ratio", at_most=0.5)
    )


def _by_sdk(session: Any, vm: str) -> None:
    """Ask for all that a guest's entity tells."""
    api = session.xenapi
    record = api.VM.get_record(vm)
    drives = [api.VBD.get_record(ref) for ref in record["VBDs"]]
    api.VM_guest_metrics.get_record(record["guest_metrics"])
    api.host.get_record(record["resident_on"])
    for drive in drives:
        if drive["VDI"] != _NULL:
            api.VDI.get_record(drive["VDI"])


def _check_same(host: Host, ours: Callable[[], None], other: Callable[[], None]) -> None:
    """Pass when both send the same messages."""
    found = []
    for call in (ours, other):
        host.forget_counts()
        call()
        counts = host.counts()
        found.append({name.replace("event_from", "event.from"): count for name, count in counts.items()})
    if found[0] != found[1]:
        raise SystemExit(f"the service sends {found[0]}, this benchmark {found[1]}: they must be the same")


def _comparison(what: str, beside: str, ours: list[float], other: list[float], goal: Goal) -> Comparison:
    return Comparison(
        benchmark="xen-sessions", what=what, beside=beside, unit="ms", ours=ours, other=other, goal=goal
    )
