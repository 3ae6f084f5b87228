"""bootstrap.py on machines that lack something. That it works is what continuous integration shows."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.repository import ROOT

#: The system's own Python: an unprivileged user may not be able to read another one.
PYTHON = "/usr/bin/python3"
NOBODY = 65534

pytestmark = pytest.mark.skipif(
    not Path(PYTHON).exists() or shutil.which("dpkg-query") is None, reason="this is no Debian"
)


@pytest.fixture
def clone() -> Iterator[Path]:
    """A clone that an unprivileged user can read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(ROOT / "bootstrap.py", folder)
        (folder / "tests/kvm/counterparts").mkdir(parents=True)
        yield folder


def bootstrap(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    is_root = os.geteuid() == 0
    return subprocess.run(
        [PYTHON, str(clone / "bootstrap.py"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        user=NOBODY if is_root else None,
        group=NOBODY if is_root else None,
        extra_groups=[] if is_root else None,
    )


def test_a_user_who_is_not_root_is_told_how_to_install_what_is_missing(clone: Path) -> None:
    packages = clone / "tests/kvm/counterparts/apt-packages.txt"
    packages.write_text("# what is tested against\ndpkg\nno-such-package-b\nno-such-package-a  # why\n")
    stopped = bootstrap(clone, "tests")
    assert stopped.returncode == 1
    command = "sudo apt-get install -y --no-install-recommends no-such-package-a no-such-package-b"
    assert command in stopped.stderr.replace(" curl", "").replace(" python3-dev", "")
    assert not (clone / ".venv").exists()


def test_an_unknown_command_is_answered_with_those_there_are(clone: Path) -> None:
    stopped = bootstrap(clone, "server")
    assert stopped.returncode == 1
    assert "bootstrap.py serve" in stopped.stderr
    assert "bootstrap.py tests" in stopped.stderr


@pytest.mark.parametrize(
    ("tests", "checks", "told"),
    [
        (0, 0, "Nothing failed."),
        (0, 3, "Failed: lint, docs, types, packages. See above."),
        (3, 0, "Failed: tests. See above."),
        (3, 3, "Failed: tests; lint, docs, types, packages. See above."),
    ],
)
def test_the_checks_run_beside_the_tests_and_the_end_says_what_failed(
    clone: Path, tests: int, checks: int, told: str
) -> None:
    clone.chmod(0o777)
    python = clone / ".venv/bin/python"  # in the place of that which has nox
    python.parent.mkdir(parents=True)
    python.write_text(f"""#!/bin/sh
case "$*" in
    *--version) ;;
    *"--sessions tests") echo "the tests"; exit {tests} ;;
    *"--sessions lint docs types packages") echo "the checks"; exit {checks} ;;
    *) exit 9 ;;
esac
""")
    python.chmod(0o755)
    ended = bootstrap(clone, "tests")
    assert ended.returncode == (1 if tests or checks else 0)
    lines = ended.stdout.splitlines()
    assert {"the tests", "the checks"} < set(lines)
    assert lines[-1] == told
