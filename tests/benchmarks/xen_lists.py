"""Lists of guests of a simulated XAPI through the service, beside ``VM.get_all_records`` by XenServer's SDK.

Ours tells each guest's disks, host and address besides, of which that message says nothing. Then what such
lists do to others who ask the service for something small.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks.comparisons import Comparison, Goal, take_turns
from benchmarks.lists import make_list, running_sdk, waits
from benchmarks.scale import Scale
from benchmarks.transfers import peak_mib
from benchmarks.xapi import Host, xapi
from support.service import Service, running_service, token
from support.xapi import PASSWORD, USER

_HEADER = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
_SDK = """
import sys
from pathlib import Path
from benchmarks.xapi import Host
session = Host(int(sys.argv[1]), Path(sys.argv[2])).connect()
make_list = session.xenapi.VM.get_all_records
"""


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare lists by either wire, and look at memory and at others' waits.

    By XML-RPC, the plugin also reads with the SDK: five messages instead of one.
    """
    with tempfile.TemporaryDirectory() as name:
        for wire, options, most in (("JSON-RPC", (), 0.5), ("XML-RPC", ("--no-json",), 2)):
            for vms in scale.vms:
                folder = Path(name) / f"{wire}-{vms}"
                with xapi(folder, "--vms", str(vms), *options) as host:
                    what = f"{vms:,} guests, {wire}"
                    yield from _compare(host, folder, what, most, scale)
                    yield waits(
                        "xen-lists",
                        what,
                        config=host.toml,
                        folder=folder / "shared",
                        make=_lists(host),
                        scale=scale,
                    )


def _compare(host: Host, folder: Path, what: str, most: float, scale: Scale) -> Iterator[Comparison]:
    with (
        running_service(folder / "service", host.toml + "[server]\nworkers = 1\n") as service,
        running_sdk(_SDK, host.port, host.ca_file) as sdk,
    ):
        worker = psutil.Process(service.process.pid).children()[0].pid
        service.get(f"/xen/{host.place}", headers=_HEADER)  # so that both have logged in
        before = peak_mib(worker), peak_mib(sdk.pid)
        ways = {"ours": lambda: _lists(host)(service), "sdk": sdk.milliseconds}
        found = take_turns(scale.rounds, ways)
        after = peak_mib(worker), peak_mib(sdk.pid)
    beside = "the SDK's VM.get_all_records"
    yield Comparison(
        benchmark="xen-lists",
        what=f"GET of {what}",
        beside=beside,
        unit="ms",
        ours=found["ours"],
        other=found["sdk"],
        goal=Goal(of="ratio", at_most=most),
    )
    yield Comparison(
        benchmark="xen-lists",
        what=f"GET of {what}: growth of peak memory",
        beside=beside,
        unit="MiB",
        ours=[after[0] - before[0]],
        other=[after[1] - before[1]],
        goal=Goal(of="ratio", at_most=most),
    )


def _lists(host: Host) -> Callable[[Service], float]:
    return lambda service: make_list(service, f"/xen/{host.place}", _HEADER)
