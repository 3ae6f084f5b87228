#!/usr/bin/env python3
"""One command from a fresh machine to a running service, or to all tests run.

    python3 bootstrap.py serve [options of `simplestack serve`]
    python3 bootstrap.py tests [arguments of pytest: then nothing but pytest runs]

It makes .venv with nox in it and hands over to noxfile.py. Missing Debian packages are installed when the
user is root; otherwise the command that installs them is printed. Needs Python 3.11 and nothing else.
"""

import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NOX = "nox>=2025.10.14,<2027"
#: What the tests' counterparts need: one Debian package a line.
TEST_PACKAGES = sorted((ROOT / "tests").rglob("apt-packages.txt"))
APT_LISTS = Path("/var/lib/apt/lists")
#: They run beside the tests, which wait for guests that boot. Types come late, so that they find what the
#: installation of the tests had to compile.
CHECK_SESSIONS = ("lint", "docs", "types", "packages")
CHECKS_LOG = ROOT / ".nox" / "checks.log"


def main(arguments: list[str]) -> NoReturn:
    """Set up what `arguments` need, and become nox."""
    if sys.version_info < (3, 11):  # noqa: UP036  the one place that tells users of an older Python
        sys.exit(
            f"Simplestack needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable})"
        )
    if not arguments or arguments[0] not in ("serve", "tests"):
        sys.exit(__doc__)
    command, rest = arguments[0], arguments[1:]
    if command == "tests":
        require_packages(test_packages())
        require_package_lists()
    make_venv()
    if command == "tests" and not rest:
        sys.exit(run_all_tests())
    sys.stdout.flush()
    os.execv(PYTHON, nox(command, "--", *rest))


def nox(*arguments: str) -> list[str]:
    """Return the command that runs sessions of noxfile.py."""
    return [str(PYTHON), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), "--sessions", *arguments]


def run_all_tests() -> int:
    """Run the tests and, beside them, the checks; print what these say as soon as they have ended.

    :return: the exit status, 0 if nothing failed
    """
    names = ", ".join(CHECK_SESSIONS)
    print(f"Beside the tests run {names}: see {CHECKS_LOG}. What they say comes when they end.", flush=True)
    CHECKS_LOG.parent.mkdir(exist_ok=True)
    with CHECKS_LOG.open("wb") as log:
        # With less of the processors: some of the tests have limits of time.
        command = ["nice", "-n", "5", *nox(*CHECK_SESSIONS)]
        checks = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    tests = subprocess.Popen(nox("tests"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # both get it, too, and end
    reports = threading.Thread(target=report, args=(checks,))
    reports.start()
    if tests.wait() == 0 and checks.poll() is None:
        print(f"The tests have passed. Waiting for {names} ...", flush=True)
    reports.join()
    failed = [name for name, ended in (("tests", tests), (names, checks)) if ended.returncode != 0]
    print(f"Failed: {'; '.join(failed)}. See above." if failed else "Nothing failed.", flush=True)
    return 1 if failed else 0


def report(checks: "subprocess.Popen[bytes]") -> None:
    """Wait for the checks, and print what they said."""
    checks.wait()
    said = CHECKS_LOG.read_text(errors="replace")
    print(f"\n{'=' * 30} beside the tests {'=' * 30}\n{said}{'=' * 78}", flush=True)


def test_packages() -> list[str]:
    """Return the Debian packages that the tests need on this machine."""
    lines = [line for path in TEST_PACKAGES for line in path.read_text().splitlines()]
    packages = [line.partition("#")[0].strip() for line in lines]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        packages.append("python3-dev")  # libvirt-python is published as source only
    return [package for package in [*packages, "curl"] if package]


def require_packages(packages: list[str]) -> None:
    """Install the Debian packages that are missing, or say how and stop."""
    if shutil.which("dpkg-query") is None:
        print("This is no Debian: tests that lack their counterpart are skipped.")
        print("On Debian they need", *packages)
        return
    query = ["dpkg-query", "--show", "--showformat=${binary:Package} ${db:Status-Status}\n", *packages]
    found = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    states = dict(line.split(" ", 1) for line in found.stdout.splitlines())
    installed = {name.partition(":")[0] for name, state in states.items() if state == "installed"}
    missing = sorted(set(packages) - installed)
    if not missing:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        sys.exit(
            "Debian packages are missing. Install them, then run this again:\n\n"
            f"    sudo {shlex.join(install)}\n"
        )
    apt_get("update")
    apt_get(*install[1:])


def require_package_lists() -> None:
    """Let apt know what there is: the tests' guest is made of a kernel package that is never installed."""
    if os.geteuid() == 0 and APT_LISTS.is_dir() and not any(APT_LISTS.glob("*_Packages*")):
        apt_get("update")


def apt_get(*arguments: str) -> None:
    """Run apt-get, which asks nothing."""
    check(["apt-get", *arguments], {**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def make_venv() -> None:
    """Make .venv with nox in it, unless it is there and works."""
    if PYTHON.exists() and run_quietly([str(PYTHON), "-m", "nox", "--version"]):
        return
    print(f"Making {VENV} with nox in it ...", flush=True)
    installer = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    options = ["--clear", "--without-pip"]
    # Debian packs ensurepip with python3-venv. Its pip can install into a venv that has none of its own.
    if not run_quietly([sys.executable, "-m", "pip", "--version"]):
        if importlib.util.find_spec("ensurepip") is None:
            require_packages(["python3-venv"])
        installer, options = [str(PYTHON), "-m", "pip"], ["--clear"]
    check([sys.executable, "-m", "venv", *options, str(VENV)])
    check([*installer, "install", "--quiet", NOX])


def run_quietly(command: list[str]) -> bool:
    """Tell whether a command succeeds."""
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


def check(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command that must succeed."""
    print("+", shlex.join(command), flush=True)
    if subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        sys.exit(
            f"`{shlex.join(command)}` failed: its own message is above. Put it right and run this again."
        )


if __name__ == "__main__":
    main(sys.argv[1:])
