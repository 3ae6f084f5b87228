"""The REST layer with its default settings beside a bare Falcon app that answers with the same bytes.

Both run at once, under gunicorn with the same number of workers and threads, and wrk loads them in turn. The
bare app parses no token, calls no plugin, reads no database and writes no audit.
"""

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.comparisons import Comparison, take_turns
from benchmarks.requirements import path_of
from benchmarks.scale import Scale
from benchmarks.services import bare_falcon
from support.service import running_service, token

#: A worker accepts at most 16 calls to one host with the default number of threads.
_CONNECTIONS = (1, 8, 16)
_LISTS = (1_000, 10_000)
_CONFIG = "".join(f'[hypervisors.mock.hosts."of-{count}"]\nseed_guests = {count - 2}\n' for count in _LISTS)
_PERCENTILE = re.compile(r"([0-9]+)%\s+([0-9.]+)(us|ms|s)\b")
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare a guest and lists of guests, under load."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_service(folder / "service", _CONFIG) as service:
            ours = f"http://127.0.0.1:{service.port}/mock"
            guest = service.get("/mock/demo/guests").json[0]["id"]
            paths = {"guest": f"demo/guests/{guest}"}
            paths |= {f"guests-{count}": f"of-{count}/guests" for count in _LISTS}
            for answer, path in paths.items():
                found = service.get(f"/mock/{path}")
                (folder / f"{answer}.json").write_bytes(found.body)
            with bare_falcon(folder) as port:
                bare = f"http://127.0.0.1:{port}"
                for connections in _CONNECTIONS:
                    urls = f"{ours}/{paths['guest']}", f"{bare}/guest"
                    what = f"GET of a guest, {connections} connection{'s' if connections > 1 else ''}"
                    yield from _compare(what, urls, connections, scale)
                for count in _LISTS:
                    urls = f"{ours}/of-{count}/guests", f"{bare}/guests-{count}"
                    yield from _compare(f"GET of {count:,} guests, 1 connection", urls, 1, scale)


def _compare(what: str, urls: tuple[str, str], connections: int, scale: Scale) -> Iterator[Comparison]:
    late: dict[str, list[float]] = {url: [] for url in urls}

    def loaded(url: str) -> Callable[[], float]:
        def rate() -> float:
            found = load(url, connections, scale.seconds)
            late[url].append(found.p99_ms)
            return found.per_second

        return rate

    rates = take_turns(scale.rounds, {url: loaded(url) for url in urls})
    yield _comparison(what, "requests/s", rates[urls[0]], rates[urls[1]])
    yield _comparison(f"{what}, 99th percentile", "ms", late[urls[0]][1:], late[urls[1]][1:])


def _comparison(what: str, unit: str, ours: list[float], other: list[float]) -> Comparison:
    return Comparison(
        benchmark="rest-layer", what=what, beside="bare Falcon, static", unit=unit, ours=ours, other=other
    )


class Load(NamedTuple):
    """What wrk found."""

    per_second: float
    p50_ms: float
    p99_ms: float


def load(url: str, connections: int, seconds: int, login: str = token()) -> Load:
    """Load a service, and return the rate of requests and how long they took.

    :param login: the header's value
    """
    header = f"X-Simplestack-Hypervisor-Token: {login}"
    command = [path_of("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", header, url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    late = {name: (float(time), unit) for name, time, unit in _PERCENTILE.findall(output)}
    if rate is None or not {"50", "99"} <= late.keys() or "Non-2xx" in output:
        raise SystemExit(f"{url} was not answered as it should be:\n{output}")
    p50, p99 = (time * _UNITS[unit] for time, unit in (late["50"], late["99"]))
    return Load(float(rate[1]), p50, p99)
