"""Showing one guest of a simulated vCenter through the service, beside the same call by pyvmomi.

That the calls are the same is checked before anything is measured. The simulator takes no time for a call,
or 5 ms.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.comparisons import Comparison, Goal, milliseconds, take_turns
from benchmarks.scale import Scale
from benchmarks.shown_guests import showing
from benchmarks.vsphere import Host, vsphere
from benchmarks.vsphere_reads import read_by_sdk
from support.service import running_service, token
from support.vsphere import PASSWORD

_CALLS = 100
#: One call is all that a guest costs which was looked up before.
_EXPECTED = {"RetrievePropertiesEx": 1}


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare requests for a known guest, by either wire and at two latencies."""
    with tempfile.TemporaryDirectory() as name:
        for wire, options in (("VI-JSON", ()), ("SOAP", ("--no-json",))):
            for latency_ms in (0, 5):
                folder = Path(name, f"{wire}-{latency_ms}")
                with vsphere(folder, "--latency", str(latency_ms / 1000), *options) as host:
                    yield _compare(host, folder, f"{latency_ms} ms a call, {wire}", latency_ms, scale)


def _compare(host: Host, folder: Path, what: str, latency_ms: int, scale: Scale) -> Comparison:
    header = {"X-Simplestack-Hypervisor-Token": token(host.user, PASSWORD)}
    content = host.by_sdk()
    with running_service(folder / "service", host.toml) as service:
        guest_id = service.get(f"/vmware/{host.place}/guests", headers=header).json[0]["id"]
        moid = content.searchIndex.FindByUuid(None, guest_id, True, True)._GetMoId()
        with showing(service, f"/vmware/{host.place}/guests/{guest_id}", header) as ours:
            ways = {"ours": ours, "sdk": lambda: read_by_sdk(content, moid)}
            for way in ways.values():
                _check_calls(host, way)
            found = take_turns(scale.rounds, {name: milliseconds(way, _CALLS) for name, way in ways.items()})
    return Comparison(
        benchmark="vmware-sessions",
        what=f"GET of a guest, {what}",
        beside="pyvmomi, open session",
        unit="ms",
        ours=found["ours"],
        other=found["sdk"],
        goal=Goal(of="ratio", at_most=1.10) if latency_ms else None,
    )


def _check_calls(host: Host, way: Callable[[], object]) -> None:
    """Pass when a way to show a guest makes the one call."""
    host.forget_counts()
    way()
    calls = host.counts()
    if calls != _EXPECTED:
        raise SystemExit(f"a guest was shown by {calls}, not {_EXPECTED}")
