"""The Pythons that the distributions say they support, as far as this machine has them."""

import functools
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLASSIFIER = "Programming Language :: Python :: "
#: Prints the version of a Python that can build libvirt-python, which is published as source only.
PROBE = """
import pathlib, platform, sysconfig
if pathlib.Path(sysconfig.get_path("include"), "Python.h").exists():
    print(platform.python_implementation(), platform.python_version())
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python to test with."""

    #: Such as ``3.11``.
    minor: str
    #: Such as ``3.11.7``.
    version: str
    path: str


def supported() -> list[str]:
    """Return the versions that core's classifiers name, the oldest first."""
    project = tomllib.loads((ROOT / "simplestack-core/pyproject.toml").read_text())["project"]
    versions = [line.removeprefix(CLASSIFIER) for line in project["classifiers"]]
    return sorted(
        (text for text in versions if text[0].isdigit() and "." in text),
        key=lambda text: tuple(map(int, text.split("."))),
    )


@functools.cache
def found() -> tuple[Interpreter, ...]:
    """Return one interpreter for each supported version that is here, the oldest first."""
    probed = (_probe(minor) for minor in supported())
    return tuple(interpreter for interpreter in probed if interpreter is not None)


def _probe(minor: str) -> Interpreter | None:
    for path in _candidates(minor):
        # A shim of pyenv is there for versions that are not chosen, too, and fails.
        command = [path, "-I", "-c", PROBE]
        printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        if printed and printed[0] == "CPython" and printed[1].startswith(f"{minor}."):
            return Interpreter(minor, printed[1], path)
    return None


def _candidates(minor: str) -> Iterator[str]:
    """Yield where a version may be: this one, on the PATH, among pyenv's."""
    if minor == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield str(Path(sys.base_prefix, "bin", f"python{minor}"))
    on_path = (shutil.which(f"python{minor}", path=folder) for folder in os.get_exec_path())
    yield from (path for path in on_path if path is not None)
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    yield from (str(path) for path in sorted(versions.glob(f"{minor}.*/bin/python{minor}"), reverse=True))
