"""Mutation tests: make small defects in modules, one at a time, and see whether a test notices.

CONTRIBUTING.md says how to read a survivor.
"""

import argparse
import ast
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mutation.equivalents import EQUIVALENTS
from mutation.modules import MODULES, paths_of_tests, source_of
from mutation.mutants import mutants_of
from mutation.record import Record, Score, read_record, share, sunk, write_record
from mutation.trial import Trial, check_passes, measure, run_trials


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments say, and return the exit status."""
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as `pool`. Default: all")
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants whose names contain TEXT")
    parser.add_argument(
        "--processes",
        type=int,
        default=2 * (os.cpu_count() or 1),
        help="how many at once. Default: two for each core, since most tests wait rather than compute",
    )
    parser.add_argument("--record", action="store_true", help="keep the scores in tests/mutation/record.json")
    options = parser.parse_args(arguments)
    if options.record and options.only:
        parser.error("--record needs all mutants of a module: leave --only out")
    found, broken = _run(_chosen(parser, options.modules), options.only, options.processes)
    _print_scores(found)
    if broken:
        sys.stderr.write(
            "".join(f"broken: {trial.module}: {trial.name}\n{trial.output}\n" for trial in broken)
        )
        return 1
    before = read_record()
    if options.record:
        write_record(Record(modules={**before.modules, **found.modules}))
        return 0
    failures = [] if options.only else sunk(before, found)
    sys.stderr.write("".join(f"{line}\n" for line in failures))
    return 1 if failures else 0


def _chosen(parser: argparse.ArgumentParser, names: Sequence[str]) -> list[str]:
    short = {module.rpartition(".")[2]: module for module in MODULES}
    unknown = [name for name in names if name not in short]
    if unknown:
        parser.error(f"no module {', '.join(unknown)}; there are: {', '.join(short)}")
    return [short[name] for name in names or short]


def _run(modules: Sequence[str], only: str, processes: int) -> tuple[Record, list[Trial]]:
    """Return the scores, and the trials that say nothing, which no score counts."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # plugins take longer to import than tests to run
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        tests = dict.fromkeys(path for module in modules for path in paths_of_tests(module))
        durations_seconds = measure(list(tests), folder)
        for module in modules:  # otherwise a mistake in how mutants are imported would kill all of them
            tree = ast.parse(source_of(module).read_text())
            check_passes(Trial(tests=paths_of_tests(module), module=module, tree=tree), folder)
        trials = [trial for module in modules for trial in _trials(module, only, durations_seconds)]
        _say(f"{len(trials)} mutants")
        hung = [trial for trial in run_trials(trials, processes, folder) if trial.hung]
        # The machine may have been busy. A mutant that survived once may do so again: threads race.
        for _ in run_trials(hung, processes, folder):
            pass
        for trial in trials:
            if trial.passed or trial.hung:
                _say(f"{'hung' if trial.hung else 'survived'}: {trial.module}: {trial.name}")
    _say(f"{time.monotonic() - began:.0f} s")
    broken = [trial for trial in trials if trial.is_broken]
    return Record(modules={module: _score(module, trials) for module in modules}), broken


def _trials(module: str, only: str, durations_seconds: dict[str, float]) -> list[Trial]:
    tree, mutants = mutants_of(source_of(module).read_text())
    left_out = EQUIVALENTS.get(module, {})
    return [
        Trial(
            tests=paths_of_tests(module),
            durations_seconds=durations_seconds,
            module=module,
            tree=tree,
            apply=mutant.apply,
            name=mutant.name,
        )
        for mutant in mutants
        if only in mutant.name and mutant.name not in left_out
    ]


def _score(module: str, trials: Sequence[Trial]) -> Score:
    own = [trial for trial in trials if trial.module == module and not trial.is_broken]
    survivors = [trial.name for trial in own if trial.passed]
    return Score(
        mutants=len(own),
        killed=len(own) - len(survivors),
        hung=sum(trial.hung for trial in own),
        survivors=survivors,
    )


def _print_scores(record: Record) -> None:
    _say("\n| module | mutants | killed | of these hung | score |\n| --- | ---: | ---: | ---: | ---: |")
    for module, score in record.modules.items():
        _say(f"| {module} | {score.mutants} | {score.killed} | {score.hung} | {share(score):.1%} |")
    every = record.modules.values()
    mutants, killed = sum(score.mutants for score in every), sum(score.killed for score in every)
    _say(f"| all | {mutants} | {killed} | {sum(score.hung for score in every)} | {share(*every):.1%} |")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  its output


if __name__ == "__main__":
    sys.exit(main())
