"""What holds for all tests: they keep off the user's own files, pass in the background, can be repeated."""

import gc
import os
import shlex
import signal
import tempfile

import pytest

#: Where the mock keeps its database by default. Processes that tests start inherit it.
_state = tempfile.TemporaryDirectory(prefix="simplestack-state-")
os.environ["XDG_STATE_HOME"] = _state.name

# A failed assertion of what tests share shows both sides, too.
pytest.register_assert_rewrite("support", "tests.kvm", "tests.packages", "tests.simulators", "tests.vmware")

# A shell that starts tests in the background lets them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no processor is idle while another one ends alone.

    These are the runs of the conformance kit, and what boots guests.
    """
    items.sort(
        key=lambda item: (not item.path.name.startswith("test_conformance"), "kvm" not in item.path.parts)
    )


def pytest_collection_finish() -> None:
    """Leave what was collected, which stays, out of every later search for garbage."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how to run what failed, and nothing else."""
    stats = terminalreporter.stats
    failed = {report.nodeid: None for kind in ("failed", "error") for report in stats.get(kind, ())}
    if failed:
        terminalreporter.section("what failed, alone")
        for node in failed:
            terminalreporter.line(shlex.join(_alone(node)))


def _alone(node: str) -> list[str]:
    if node.startswith("tests/packages/"):
        return [".venv/bin/nox", "-s", "packages", "--", "-k", node.rpartition("::")[2]]
    return ["python3", "bootstrap.py", "tests", node]
