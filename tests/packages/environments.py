"""Clean environments, and the wheels to fill them with."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packages.interpreters import Interpreter

Finished = subprocess.CompletedProcess[str]


def run(
    command: list[str], folder: Path, *, check: bool = True, environment: Mapping[str, str] | None = None
) -> Finished:
    """Run a command away from the sources, and return what it printed; fail with that when it fails."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SIMPLESTACK_"))
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds what was installed from wheels and nothing else."""

    folder: Path
    #: The wheels that pip may use: those that were built, and what they depend on.
    wheelhouse: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin/python")

    def install(self, *arguments: str, check: bool = True) -> Finished:
        """Install with pip, from wheels on this machine alone."""
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-index"]
        pip.append("--no-compile")  # most modules are never imported
        # What pip's own settings add to the places to look at could bring other wheels.
        isolated = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(self.wheelhouse)}
        return run([*pip, *arguments], self.folder, check=check, environment=isolated)

    def check(self) -> None:
        """Fail when what is installed does not fit together."""
        run([sys.executable, "-m", "pip", "--python", self.python, "check"], self.folder)

    def simplestack(self, *arguments: str, check: bool = True) -> Finished:
        """Run the command line that was installed."""
        return run([str(self.folder / "bin/simplestack"), *arguments], self.folder, check=check)

    def execute(self, program: str) -> Finished:
        """Run a Python program, whatever becomes of it."""
        return run([self.python, "-I", "-c", program], self.folder, check=False)


def make_environment(folder: Path, interpreter: Interpreter, wheelhouse: Path) -> Environment:
    """Make an empty environment; pip stays outside."""
    run([interpreter.path, "-m", "venv", "--without-pip", str(folder)], folder.parent)
    return Environment(folder, wheelhouse)


def fill_wheelhouse(folder: Path, interpreter: Interpreter, wheels: list[Path]) -> Path:
    """Put wheels, and wheels of all that they depend on, into a folder. pip's cache keeps compiled ones."""
    folder.mkdir(parents=True)
    environment = make_environment(folder / "environment", interpreter, folder)
    pip = [sys.executable, "-m", "pip", "--python", environment.python, "wheel", "--quiet"]
    run([*pip, f"--wheel-dir={folder}", *map(str, wheels)], folder)
    return folder
