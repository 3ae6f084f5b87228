"""What the tests of the repository itself share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from project.repository import ROOT
from support.lacking import lacking_packages


@pytest.fixture(scope="session")
def install_example(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that installs an example with pip, into a folder of its own."""

    def install(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        source = shutil.copytree(ROOT / "examples" / name, folder / "source")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation"]
        target = folder / "installed"
        subprocess.run([*command, "--no-deps", "--target", target, source], check=True)
        return target

    return install


@pytest.fixture
def run_shell(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that runs the commands of a page as its reader would, and returns what they print.

    It fails at the first that fails; for curl, an answer of 400 and above is a failure.
    """
    if shutil.which("curl") is None:
        lacking_packages(["curl"])
    (tmp_path / ".curlrc").write_text("fail-with-body\nshow-error\nmax-time = 30\n")

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "CURL_HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
