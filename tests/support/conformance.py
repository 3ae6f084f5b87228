"""The conformance kit run as a plugin's author runs it: pytest of its own, in a folder of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from simplestack.conformance.coverage import WAYS

#: The kit needs no other plugin of pytest. Those that are installed for these tests take seconds to load.
_KIT_ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
ROW = re.compile(r"^(\w+_\w+)  +(\S.*?)  +(\S.*)$", re.MULTILINE)


@dataclass
class KitRun:
    """What a run of the kit printed, and its exit status."""

    status: int
    output: str
    ways: tuple[str, ...] = WAYS

    @property
    def table(self) -> dict[str, tuple[str, ...]]:
        """The table of operations: what it says of each, through Stack, through HTTP, or both."""
        return {
            name: tuple(said for way, said in zip(WAYS, both, strict=True) if way in self.ways)
            for name, *both in ROW.findall(self.output)
        }

    @property
    def not_passed(self) -> dict[str, tuple[str, ...]]:
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
    ways: tuple[str, ...] = WAYS,
) -> KitRun:
    """Run ``pytest -p simplestack.conformance`` in a folder that has only settings.

    :param config: the settings, TOML
    :param ways: enough is HTTP where another run of the same plugin is through Stack, too
    :param plugins: a folder of installed distributions, beside those of the environment
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "simplestack.toml"
    settings.write_text(config)
    more = {**_KIT_ALONE, "XDG_STATE_HOME": str(folder), **(environment or {})}
    if plugins is not None:
        more["PYTHONPATH"] = str(plugins)
    kit = ("-p", "simplestack.conformance", "--config", str(settings))
    chosen = () if ways == WAYS else [f"--way={way}" for way in ways]
    return replace(run_pytest(folder, *kit, *chosen, *arguments, environment=more), ways=ways)


def run_pytest(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> KitRun:
    """Run pytest in a folder, without what the environment of these tests says of either."""
    return _run(folder, ("pytest", "-rs", "-p", "no:cacheprovider", *arguments), environment or {})


def run_command(folder: Path, *arguments: str) -> KitRun:
    """Run ``simplestack conformance`` in a folder, with the default settings."""
    environment = {**_KIT_ALONE, "XDG_STATE_HOME": str(folder)}
    return _run(folder, ("simplestack", "conformance", *arguments), environment)


def _run(folder: Path, arguments: tuple[str, ...], environment: Mapping[str, str]) -> KitRun:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("SIMPLESTACK_", "PYTEST_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return KitRun(done.returncode, done.stdout + done.stderr)
