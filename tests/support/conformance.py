"""The conformance kit run as a plugin's author runs it: pytest of its own, in a folder of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROW = re.compile(r"^(\w+_\w+)  +(\S.*?)  +(\S.*)$", re.MULTILINE)


@dataclass
class KitRun:
    """What a run of the kit printed, and its exit status."""

    status: int
    output: str

    @property
    def table(self) -> dict[str, tuple[str, str]]:
        """The table of operations: what it says of each, through Stack and through HTTP."""
        return {name: (stack, http) for name, stack, http in ROW.findall(self.output)}

    @property
    def not_passed(self) -> dict[str, tuple[str, str]]:
        """The rows of the table of which something else is said than how many tests passed."""
        return {
            name: ways
            for name, ways in self.table.items()
            if not all(re.fullmatch("[1-9][0-9]* passed", way) for way in ways)
        }

    @property
    def skips(self) -> list[str]:
        """The reasons of what was skipped."""
        return sorted(set(re.findall(r"^SKIPPED \[[0-9]+\] \S+: (.*)$", self.output, re.MULTILINE)))


def run_kit(
    folder: Path,
    *arguments: str,
    config: str = "",
    environment: Mapping[str, str] | None = None,
    plugins: Path | None = None,
) -> KitRun:
    """Run ``pytest --pyargs simplestack.conformance`` in an empty folder.

    :param config: the settings, TOML
    :param plugins: a folder of installed distributions, beside those of the environment
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "simplestack.toml"
    settings.write_text(config)
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("SIMPLESTACK_", "PYTEST_"))
    }
    env |= {"XDG_STATE_HOME": str(folder), **(environment or {})}
    if plugins is not None:
        env["PYTHONPATH"] = str(plugins)
    command = [sys.executable, "-m", "pytest", "-rs", "--pyargs", "simplestack.conformance"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--config", str(settings), *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return KitRun(done.returncode, done.stdout + done.stderr)
