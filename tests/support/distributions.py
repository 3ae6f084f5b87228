"""Plugins for tests, as distributions that importlib.metadata finds like installed ones."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent

HEADER = """
from simplestack import *
import sys, threading, time
me = sys.modules[__name__]
"""


def install(
    folder: Path,
    name: str,
    source: str,
    group: str = "simplestack.hypervisors",
    *,
    requires: Iterable[str] = (),
) -> None:
    """Write module `plugin_NAME` and the metadata of distribution `simplestack-NAME` into a folder."""
    module = f"plugin_{name.replace('-', '_')}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(HEADER + dedent(source))
    describe(folder, f"simplestack-{name}", name, f"{module}:plugin", group, requires=requires)


def describe(
    folder: Path,
    distribution: str,
    name: str,
    value: str,
    group: str = "simplestack.hypervisors",
    *,
    requires: Iterable[str] = (),
) -> None:
    """Write the metadata of a distribution with one entry point."""
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    lines = ["Metadata-Version: 2.1", f"Name: {distribution}", "Version: 1.0"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    (info / "METADATA").write_text("".join(f"{line}\n" for line in lines))
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
