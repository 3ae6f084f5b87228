"""Run a service under load while hypervisors, workers and clients fail.

    .venv/bin/nox -s soak -- [--minutes 20] [--rate 150] [--seed 1] [--scenario NAME] [--folder FOLDER]

Nothing else should run on the machine meanwhile. docs/soak.md tells how to read the report. It exits with 1
where a bar was missed.
"""

import argparse
import shutil
import sys
from pathlib import Path

from msgspec import json

from benchmarks.soak import schedule
from benchmarks.soak.markdown import markdown
from benchmarks.soak.report import Options, make_report, missed
from benchmarks.soak.run import Load, run

_SOAK = "soak"
_SOAK_MINUTES = 20.0


def main() -> int:
    """Run it, print the report and keep it; return 1 where a bar was missed."""
    options = _parser().parse_args()
    if options.scenario is None:
        name, seconds = _SOAK, 60 * (options.minutes or _SOAK_MINUTES)
        plan = schedule.soak(seconds)
    else:
        name = options.scenario
        seconds = 60 * options.minutes if options.minutes else schedule.SCENARIO_SECONDS
        plan = schedule.scenario(name, seconds)
    print(f"{name}: {seconds:g} s ...", file=sys.stderr, flush=True)  # noqa: T201  its output
    folder = options.folder.resolve() / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    findings = run(plan, Load(rate=options.rate, seed=options.seed), folder)
    report = make_report(
        Options(scenario=name, seconds=seconds, rate=options.rate, seed=options.seed), findings
    )
    text = markdown(report)
    (folder / "report.json").write_bytes(json.format(json.encode(report), indent=1) + b"\n")
    (folder / "report.txt").write_text(text)
    print(text)  # noqa: T201  its output
    for what in missed(report):
        print(f"missed: {what}", file=sys.stderr)  # noqa: T201  its output
    return 1 if missed(report) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, help="how long; by default 20, and 1 for a scenario")
    parser.add_argument("--rate", type=float, default=150, help="requests a second, to all hypervisors")
    parser.add_argument("--seed", type=int, default=1, help="decides what is random")
    parser.add_argument("--scenario", choices=schedule.SCENARIOS, help="one fault alone, beside quiet phases")
    parser.add_argument(
        "--folder", type=Path, default=Path(".benchmarks"), help="for the report and the service's log"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
