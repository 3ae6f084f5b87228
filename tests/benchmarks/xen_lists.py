"""Lists of guests of a simulated XAPI through the service, beside ``VM.get_all_records`` by XenServer's SDK.

Ours tells each guest's disks, host and address besides, of which that message says nothing. Then what such
lists do to others who ask the service for something small.
"""

import http.client
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks.comparisons import Comparison, Goal, take_turns
from benchmarks.rest_layer import load
from benchmarks.scale import Scale
from benchmarks.transfers import peak_mib
from benchmarks.xapi import Host, xapi
from support.service import Service, running_service, token
from support.xapi import PASSWORD, USER

_HEADER = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
#: A process with the SDK in it: takes its turns when it is told to, and says how long each took.
_SDK = """
import sys, time
from pathlib import Path
from benchmarks.xapi import Host
host = Host(int(sys.argv[1]), Path(sys.argv[2]))
session = host.connect()
print("ready", flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    session.xenapi.VM.get_all_records()
    print(time.perf_counter() - started, flush=True)
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
                    yield from _compare(host, folder, f"{vms:,} guests, {wire}", most, scale)
                    yield _waits(host, folder, f"{vms:,} guests, {wire}", scale)


def _compare(host: Host, folder: Path, what: str, most: float, scale: Scale) -> Iterator[Comparison]:
    command = [sys.executable, "-c", _SDK, str(host.port), str(host.ca_file)]
    with (
        running_service(folder / "service", host.toml + "[server]\nworkers = 1\n") as service,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sdk,
    ):
        if sdk.stdin is None or sdk.stdout is None or sdk.stdout.readline() != "ready\n":
            raise SystemExit("the SDK could not log in")
        requests, answers = sdk.stdin, sdk.stdout
        worker = psutil.Process(service.process.pid).children()[0].pid

        def by_sdk() -> float:
            requests.write("\n")
            requests.flush()
            return 1000 * float(answers.readline())

        service.get(f"/xen/{host.place}", headers=_HEADER)  # so that both have logged in
        before = peak_mib(worker), peak_mib(sdk.pid)
        found = take_turns(scale.rounds, {"ours": lambda: _list(service, host), "sdk": by_sdk})
        after = peak_mib(worker), peak_mib(sdk.pid)
        requests.close()
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


def _waits(host: Host, folder: Path, what: str, scale: Scale) -> Comparison:
    """Ask for a mock's guest while another client has lists made, one after the other."""
    with running_service(folder / "shared", host.toml) as service:
        guest = service.get("/mock/demo/guests").json[0]["id"]
        url = f"http://127.0.0.1:{service.port}/mock/demo/guests/{guest}"
        done = threading.Event()

        def lists() -> None:
            while not done.is_set():
                _list(service, host)

        def waits(busy: bool) -> Callable[[], float]:
            def measured() -> float:
                done.clear()
                other = threading.Thread(target=lists)
                if busy:
                    other.start()
                p99 = load(url, 1, scale.seconds).p99_ms
                done.set()
                if busy:
                    other.join()
                return p99

            return measured

        found = take_turns(scale.rounds, {"busy": waits(True), "idle": waits(False)})
    return Comparison(
        benchmark="xen-lists",
        what=f"GET of a mock's guest during lists of {what}, 99th percentile",
        beside="without lists",
        unit="ms",
        ours=found["busy"],
        other=found["idle"],
        goal=Goal(of="figure", at_most=50),
    )


def _list(service: Service, host: Host) -> float:
    client = http.client.HTTPConnection(*service.address)
    started = time.perf_counter()
    client.request("GET", f"/xen/{host.place}/guests", headers=_HEADER)
    answer = client.getresponse()
    body = answer.read()
    client.close()
    if answer.status != 200:
        raise SystemExit(f"the guests were not listed: {body[:500]!r}")
    return 1000 * (time.perf_counter() - started)
