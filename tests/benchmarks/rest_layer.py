"""GET /mock/demo/guests/{id} with default settings beside a bare Falcon app under the same gunicorn.

    python tests/benchmarks/rest_layer.py [--rounds N] [--seconds N] [--json FILE]

Both run at once and are loaded in turn, round by round, by wrk (apt-get install wrk), so that what else the
machine does touches both. Read the ratios: absolute figures drift with the machine.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.service import free_port, running_service, token, wait_for

CONNECTIONS = (1, 8, 32)
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def load(url: str, connections: int, seconds: int) -> tuple[float, float]:
    """Return requests per second and p99 in ms."""
    header = f"X-Simplestack-Hypervisor-Token: {token()}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", header, url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{url} answered with errors:\n{output}")
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s)", output)
    if rate is None or p99 is None:
        raise SystemExit(f"wrk printed no figures:\n{output}")
    return float(rate[1]), float(p99[1]) * _UNITS[p99[2]]


@contextlib.contextmanager
def bare_falcon(worker_class: str) -> Iterator[str]:
    """Run the yardstick with the options that `simplestack serve` gives gunicorn by default."""
    port = free_port()
    options = f"--workers {os.cpu_count()} --threads 32 --keep-alive 75 --timeout 60"
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        *options.split(),
        "--worker-class",
        worker_class,
        "--bind",
        f"127.0.0.1:{port}",
    ]
    process = subprocess.Popen(
        [*command, "--no-control-socket", "--chdir", str(Path(__file__).parent), "bare_app:app"],
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/guest"

    def answers() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
        return False

    try:
        wait_for(answers, what="bare Falcon")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--bare-worker",
        default="gthread",
        help="worker class of bare Falcon: gunicorn's own, or simplestack.server.Worker",
    )
    options = parser.parse_args()
    results: dict[str, dict[str, list[float]]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder)) as service,
        bare_falcon(options.bare_worker) as bare,
    ):
        guest = service.get("/mock/demo/guests").json[0]["id"]
        ours = f"http://127.0.0.1:{service.port}/mock/demo/guests/{guest}"
        for connections in CONNECTIONS:
            rows = results.setdefault(str(connections), {"bare": [], "ours": [], "bare99": [], "ours99": []})
            for url in (bare, ours):
                load(url, connections, 1)
            for _ in range(options.rounds):
                for name, url in (("bare", bare), ("ours", ours)):
                    rate, p99 = load(url, connections, options.seconds)
                    rows[name].append(rate)
                    rows[f"{name}99"].append(p99)
    report(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def report(results: dict[str, dict[str, list[float]]]) -> None:
    """Print medians, and medians of the rounds' ratios."""
    print("connections  bare req/s  ours req/s  ratio   bare p99 ms  ours p99 ms  ratio")  # noqa: T201  its output
    for connections, rows in results.items():
        median = {name: statistics.median(values) for name, values in rows.items()}
        rate = statistics.median(o / b for o, b in zip(rows["ours"], rows["bare"], strict=True))
        p99 = statistics.median(o / b for o, b in zip(rows["ours99"], rows["bare99"], strict=True))
        print(  # noqa: T201  its output
            f"{connections:>11}{median['bare']:12.0f}{median['ours']:12.0f}{rate:7.2f}"
            f"{median['bare99']:14.1f}{median['ours99']:13.1f}{p99:7.2f}"
        )


if __name__ == "__main__":
    main()
