"""``simplestack plugins`` on distributions that a test installs, and a plugin that loads."""

import subprocess
import sys
from pathlib import Path

#: A hypervisor plugin with one hook; tests replace or add what they are about.
GOOD = """
@hookimpl
def guest_list(session):
    return []
plugin = HypervisorPlugin(name="good", title="Good", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""


def good(name: str) -> str:
    """Return the source of a plugin of this name that loads."""
    return GOOD.replace('"good"', f'"{name}"')


def plugins_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it with the plugins of a folder beside the installed ones."""
    return subprocess.run(
        [sys.executable, "-m", "simplestack", "plugins", *arguments],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def failures(stderr: str) -> dict[str, str]:
    """Return the reasons of the failures that the command printed, by plugin; each is there once."""
    found: dict[str, str] = {}
    for line in stderr.splitlines():
        assert line.startswith("not loaded: plugin '"), stderr
        name, _, reason = line.removeprefix("not loaded: plugin '").partition("' ")
        assert name not in found, stderr
        found[name] = reason
    return found
