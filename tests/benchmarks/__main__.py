"""Measure Simplestack beside what it is built on.

    .venv/bin/nox -s benchmarks -- [--quick | --record] [--json FILE] [NAME ...]

Nothing else should run on the machine meanwhile. Read the ratios: absolute figures drift with the machine.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import (
    dispatch,
    images,
    kvm_deletion,
    kvm_exports,
    kvm_guest_list,
    kvm_imports,
    kvm_sessions,
    rest_layer,
    slow_clients,
    vmware_lists,
    vmware_sessions,
    vmware_transfers,
    xen_images,
    xen_lists,
    xen_sessions,
)
from benchmarks.comparisons import Comparison
from benchmarks.report import RECORD, joined, make_record, publish, read_record, tables, write_record
from benchmarks.requirements import LIBVIRTD, VCSIM, what_is_missing
from benchmarks.scale import FULL, QUICK, Scale


class Benchmark(NamedTuple):
    """What can be run, and what that needs."""

    run: Callable[[Scale], Iterator[Comparison]]
    needs: tuple[str, ...] = ()


#: All benchmarks, in the order in which they run.
BENCHMARKS = {
    "rest-layer": Benchmark(rest_layer.run, ("wrk",)),
    "dispatch": Benchmark(dispatch.run),
    "images": Benchmark(images.run, ("curl", "nginx")),
    "slow-clients": Benchmark(slow_clients.run, ("wrk",)),
    "kvm-sessions": Benchmark(kvm_sessions.run, ("wrk", LIBVIRTD)),
    "kvm-guest-list": Benchmark(kvm_guest_list.run, (LIBVIRTD,)),
    "kvm-deletion": Benchmark(kvm_deletion.run, (LIBVIRTD,)),
    "kvm-exports": Benchmark(kvm_exports.run, ("curl", "virsh", LIBVIRTD)),
    "kvm-imports": Benchmark(kvm_imports.run, ("curl", "virsh", LIBVIRTD)),
    "xen-sessions": Benchmark(xen_sessions.run),
    "xen-lists": Benchmark(xen_lists.run, ("wrk",)),
    "xen-images": Benchmark(xen_images.run, ("curl",)),
    "vmware-sessions": Benchmark(vmware_sessions.run),
    "vmware-lists": Benchmark(vmware_lists.run, ("wrk", VCSIM)),
    "vmware-exports": Benchmark(vmware_transfers.run_exports, ("curl",)),
    "vmware-imports": Benchmark(vmware_transfers.run_imports, ("curl",)),
}


def main() -> None:
    """Run the benchmarks, print what they found and keep it."""
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)}; else all")
    parser.add_argument("--json", type=Path, help="where to keep it, besides .benchmarks/latest.json")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--quick", action="store_true", help="a short run, to see that everything works")
    way.add_argument("--record", action="store_true", help="put the figures into the documentation")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    chosen = {name: found for name, found in BENCHMARKS.items() if name in (options.names or BENCHMARKS)}
    problem = what_is_missing(need for benchmark in chosen.values() for need in benchmark.needs)
    if problem is not None:
        sys.exit(problem)
    found: list[Comparison] = []
    for name, benchmark in chosen.items():
        print(f"{name} ...", file=sys.stderr, flush=True)  # noqa: T201  its output
        found += benchmark.run(QUICK if options.quick else FULL)
    record = make_record(found, quick=options.quick)
    for path in (Path(".benchmarks/latest.json"), options.json):
        if path is not None:
            write_record(record, path)
    if options.record:
        kept = joined(read_record(RECORD), record) if options.names else record
        write_record(kept, RECORD)
        publish(kept)
    print(tables(record))  # noqa: T201  its output


if __name__ == "__main__":
    main()
