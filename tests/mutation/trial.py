"""Trials: tests run on a mutant, in a process of its own, until one of them notices.

The process is forked from one that has imported pytest and nothing of the project, so it starts quickly and
imports the mutant instead of the module.
"""

import ast
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from msgspec import json

from mutation.modules import ROOT, source_of

#: How long a test may take beyond five times what it takes without a mutant.
_SPARE_SECONDS = 5.0
#: How long pytest may take before the first test and after the last.
_COLLECT_SECONDS = 60.0
_TICK_SECONDS = 0.25
#: A tick that takes longer shows that the process was stopped, or that the machine was far too busy.
_DISTURBED_SECONDS = 3.0
_DISTURBED_STATUS = 75
#: The trial failed before pytest began.
_BROKEN_STATUS = 70
#: A test failed, or could not be imported.
_KILLED_STATUSES = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
_MAX_ATTEMPTS = 20


@dataclass(kw_only=True)
class Trial:
    """Tests, what they run on, and how they ended."""

    tests: Sequence[Path]
    #: How long each test takes without a mutant.
    durations_seconds: dict[str, float] = field(default_factory=dict)
    module: str = ""
    tree: ast.Module | None = None
    #: Makes the tree of the module a mutant's.
    apply: Callable[[], None] = lambda: None
    name: str = ""
    attempts: int = 0
    #: Whether all tests passed.
    passed: bool = False
    #: Whether a test failed, or could not be imported.
    failed: bool = False
    #: Whether the process had to be killed.
    hung: bool = False
    output: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether it says nothing, since it ended in another way than by its tests."""
        return not (self.passed or self.failed or self.hung)


def run_trials(trials: Sequence[Trial], processes: int, folder: Path) -> Iterator[Trial]:
    """Run trials, so many at once, and yield each when it is over.

    :param folder: for temporary files
    """
    waiting = list(enumerate(trials))[::-1]
    running: dict[int, tuple[Trial, Path]] = {}
    while waiting or running:
        while waiting and len(running) < processes:
            number, trial = waiting.pop()
            place = folder / str(number)
            running[_start(trial, place)] = trial, place
        process, status = os.wait()
        trial, place = running.pop(process)
        trial.attempts += 1
        if os.waitstatus_to_exitcode(status) == _DISTURBED_STATUS and trial.attempts < _MAX_ATTEMPTS:
            waiting.append((int(place.name), trial))
            continue
        code = os.waitstatus_to_exitcode(status)
        trial.passed, trial.failed, trial.hung = code == 0, code in _KILLED_STATUSES, code < 0
        trial.output = place.with_suffix(".txt").read_text(errors="replace")
        yield trial


def measure(tests: Sequence[Path], folder: Path) -> dict[str, float]:
    """Return how long each test takes without a mutant, in seconds.

    :raises ValueError: they do not pass
    """
    check_passes(Trial(tests=tests), folder)
    return json.decode((folder / "0.json").read_bytes(), type=dict[str, float])


def check_passes(trial: Trial, folder: Path) -> None:
    """Run a trial that has no mutant.

    :raises ValueError: it does not pass
    """
    list(run_trials([trial], 1, folder))
    if not trial.passed:
        raise ValueError(f"{trial.module or 'the tests'} without a mutant did not pass:\n{trial.output}")


def _start(trial: Trial, place: Path) -> int:
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    status = _BROKEN_STATUS
    try:
        output = os.open(place.with_suffix(".txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = _run(trial, place)
        sys.stdout.flush()
    finally:
        os._exit(status)  # whatever threads a mutant has left


def _run(trial: Trial, place: Path) -> int:
    if trial.tree is not None:
        trial.apply()
        code = compile(trial.tree, str(source_of(trial.module)), "exec")
        sys.meta_path.insert(0, _MutantFinder(trial.module, code))
    os.chdir(ROOT)
    limits = _Limits(trial.durations_seconds)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=short", f"--basetemp={place}"]
    status = pytest.main([*options, *map(str, trial.tests)], plugins=[limits])
    place.with_suffix(".json").write_bytes(json.encode(limits.found_seconds))
    return int(status)


class _Limits:
    """Ends the process when a test hangs, and when it was stopped: tests have time limits of their own."""

    def __init__(self, durations_seconds: dict[str, float]) -> None:
        self._durations_seconds = durations_seconds
        self.found_seconds: dict[str, float] = {}
        self._left_seconds = _COLLECT_SECONDS
        threading.Thread(target=self._watch, name="mutation-limits", daemon=True).start()

    def _watch(self) -> None:
        while True:
            began = time.monotonic()
            time.sleep(_TICK_SECONDS)
            took_seconds = time.monotonic() - began
            if took_seconds > _DISTURBED_SECONDS:
                os._exit(_DISTURBED_STATUS)
            self._left_seconds -= took_seconds
            if self._left_seconds < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        began = time.monotonic()
        self._left_seconds = 5 * self._durations_seconds.get(item.nodeid, _COLLECT_SECONDS) + _SPARE_SECONDS
        result = yield
        self._left_seconds = _COLLECT_SECONDS
        self.found_seconds[item.nodeid] = time.monotonic() - began
        return result


class _MutantFinder(MetaPathFinder):
    def __init__(self, module: str, code: CodeType) -> None:
        self._module = module
        self._loader = _MutantLoader(module, code)

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        return spec_from_file_location(fullname, self._loader.path, loader=self._loader)


class _MutantLoader(SourceFileLoader):
    def __init__(self, module: str, code: CodeType) -> None:
        super().__init__(module, str(source_of(module)))
        self._code = code

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002  importlib passes it
        return self._code
