"""Skip tests of missing operations, print the table of results, and compare the host before and after."""

from collections import Counter, defaultdict
from collections.abc import Generator
from typing import Any

import pytest

from simplestack.config.errors import SettingsError
from simplestack.conformance.coverage import WAYS
from simplestack.conformance.error_responses import NOT_IMPLEMENTED, ErrorResponse
from simplestack.conformance.inventory import (
    Inventory,
    differences,
    protect_guests,
    remove_leftovers,
    take_inventory,
)
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import MARKER, operations_of
from simplestack.conformance.options import read_options
from simplestack.conformance.required_options import missing_options
from simplestack.errors import SimplestackError
from simplestack.operations.table import OPERATIONS

_OUTCOMES = ("passed", "failed", "skipped")
_LOG_CHARACTERS = 4000


class KitReport:
    """The kit's hooks in pytest."""

    NAME = "simplestack-kit-report"

    def __init__(self, config: pytest.Config) -> None:
        """Load the plugin that is tested.

        :raises pytest.UsageError: no plugin has this name, or an option is invalid or missing
        """
        try:
            self.kit = Kit(read_options(config))
        except (SimplestackError, SettingsError) as error:
            raise pytest.UsageError(str(error)) from None
        missing = missing_options(self.kit)
        if missing:
            raise pytest.UsageError("\n".join(["these options are missing:", *missing]))
        self._before: Inventory | None = None
        self._problems: list[str] = []
        self._outcomes: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def pytest_sessionstart(self) -> None:
        """List what is on the host."""
        try:
            protect_guests(self.kit)
            self._before = take_inventory(self.kit)
        except ErrorResponse as error:
            raise pytest.UsageError(f"cannot list what is on the target: {error}") from None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect tests through a way that was not chosen."""
        others = [item for item in items if _way(item) not in self.kit.options.ways]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = [item for item in items if item not in others]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        """Skip tests of operations that the plugin does not implement."""
        names = _names(item)
        if names:
            self.kit.require(*names)
        yield from self._explained()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None]:
        """Skip calls that the plugin rejects with NotImplementedError."""
        yield from self._explained()

    def _explained(self) -> Generator[None]:
        try:
            yield
        except ErrorResponse as error:
            if error.name == NOT_IMPLEMENTED:
                pytest.skip(
                    f"{self.kit.hypervisor} does not support this call of {error.operation}: {error.message}"
                )
            raise

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
        """Count the outcome for each operation of the test."""
        report = yield
        if report.when == "call" or report.outcome != "passed":
            for name in _names(item):
                for operation in operations_of(name):
                    self._outcomes[operation.name, _way(item)][report.outcome] += 1
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Compare the host with its state before the run. A difference fails the run."""
        if self._before is not None:
            self._problems += self.kit.clean()
            try:
                after = take_inventory(self.kit)
                self._problems += differences(self._before, after, self.kit.lasting)
                remove_leftovers(self.kit)
            except (ErrorResponse, AssertionError) as error:
                self._problems.append(f"cannot list what is on the target: {error}")
        self._log = self.kit.service_log()
        self._problems += self.kit.close()
        if self._problems:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table of results and the differences of the host."""
        write = terminalreporter.write_line
        if terminalreporter.stats.get("failed") and self._log:
            terminalreporter.write_sep("=", "end of the service's log")
            write(self._log[-_LOG_CHARACTERS:])
        terminalreporter.write_sep("=", f"operations of {self.kit.hypervisor}")
        rows = [("operation", *WAYS), *((row.name, *map(self._cell(row.name), WAYS)) for row in OPERATIONS)]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for name in self.kit.lasting:
            write(f"stays on the target, since no operation removes networks: {name}")
        for problem in self._problems:
            write(f"TARGET NOT AS BEFORE: {problem}", red=True)
        if not self._problems and self._before is not None:
            write("the target is as before")

    def _cell(self, operation: str) -> Any:
        def cell(way: str) -> str:
            counts = self._outcomes[operation, way]
            if self.kit.lacks(operation) and not counts["passed"] and not counts["failed"]:
                return "not implemented"
            return ", ".join(f"{counts[name]} {name}" for name in _OUTCOMES if counts[name]) or "not run"

        return cell


def _names(item: pytest.Item) -> list[str]:
    return list(dict.fromkeys(name for mark in item.iter_markers(MARKER) for name in mark.args))


def _way(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params["way"]) if callspec is not None and "way" in callspec.params else "http"
