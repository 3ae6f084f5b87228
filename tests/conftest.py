"""What holds for all tests: they keep off the user's own files, pass in the background, can be repeated."""

import gc
import os
import shlex
import signal
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

# What is collected stays: searches for garbage would find none. They begin after the collection.
gc.disable()

#: Where the mock keeps its database by default. Processes that tests start inherit it.
_state = tempfile.TemporaryDirectory(prefix="simplestack-state-")
os.environ["XDG_STATE_HOME"] = _state.name

# A failed assertion of what tests share shows both sides, too.
pytest.register_assert_rewrite("support", "tests.kvm", "tests.packages", "tests.simulators", "tests.vmware")

# A shell that starts tests in the background lets them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, and spread what waits: so no processor is idle while another one works.

    The runs of the conformance kit take longest. Tests of kvm wait for guests that boot; the others do not.
    """
    files: defaultdict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    kits = [path for path in files if path.name.startswith("test_conformance")]
    waiting = [path for path in files if path not in kits and "kvm" in path.parts]
    working = [path for path in files if path not in kits and path not in waiting]
    places = {
        path: (place + 0.5) / len(group) for group in (waiting, working) for place, path in enumerate(group)
    }
    kits.sort(key=lambda path: "kvm" not in path.parts)
    items[:] = [item for path in (*kits, *sorted(places, key=places.__getitem__)) for item in files[path]]


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later search for garbage, too."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how to run what failed, and nothing else."""
    stats = terminalreporter.stats
    failed = {report.nodeid: None for kind in ("failed", "error") for report in stats.get(kind, ())}
    if failed:
        terminalreporter.section("what failed, alone")
        for node in failed:
            terminalreporter.line(shlex.join(_alone(node)))


def _alone(node: str) -> list[str]:
    for session in ("packages", "docs"):
        if node.startswith(f"tests/{session}/"):
            return [".venv/bin/nox", "-s", session, "--", "-k", node.rpartition("::")[2]]
    return ["python3", "bootstrap.py", "tests", node]
