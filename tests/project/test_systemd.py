"""The unit of systemd: systemd accepts it, it is hardened, and it fits what the service does."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from project.repository import ROOT
from simplestack.config.settings import ServerSettings
from support.lacking import lacking_packages
from support.service import running_service

UNIT = ROOT / "deploy/simplestack.service"
EXECUTABLE = "/opt/simplestack/bin/simplestack"
#: systemd's scale ends at 10. What is left is the network, which the service is for.
MAX_EXPOSURE = 1.5


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        lacking_packages(["systemd"])
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with the command of this environment: systemd looks whether it is there."""
    command = shutil.copy(sys.executable, tmp_path)
    text = UNIT.read_text()
    assert EXECUTABLE in text
    path = tmp_path / UNIT.name
    path.write_text(text.replace(EXECUTABLE, str(command)))
    return path


def values(setting: str) -> list[str]:
    return re.findall(rf"^{setting}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_systemd_accepts_the_unit(unit: Path) -> None:
    verified = analyze("verify", "--man=no", str(unit))
    assert (verified.returncode, verified.stderr) == (0, "")


def test_systemd_would_report_a_setting_that_it_does_not_know(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtectSystems="))
    assert "'ProtectSystems'" in analyze("verify", "--man=no", str(unit)).stderr


def test_the_unit_is_hardened_as_much_as_the_page_says(unit: Path) -> None:
    threshold = f"--threshold={round(MAX_EXPOSURE * 10)}"
    rated = analyze("security", "--offline=yes", threshold, str(unit))
    assert rated.returncode == 0, rated.stdout
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", rated.stdout)
    assert exposure is not None
    page = " ".join((ROOT / "docs/install.md").read_text().split())
    assert f"rates its exposure {exposure[1]} of 10" in page


def test_systemd_waits_longer_than_the_service_takes_to_stop() -> None:
    (timeout,) = values("TimeoutStopSec")
    assert int(timeout) > ServerSettings().graceful_timeout_seconds
    assert values("KillSignal") == ["SIGTERM"]
    assert values("ExecReload")[-1:] == ["/bin/sh -c 'kill -HUP $MAINPID'"]


def test_the_service_tells_systemd_when_it_is_ready(tmp_path: Path) -> None:
    assert values("Type") == ["notify"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        with running_service(tmp_path / "service", environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}):
            assert "READY=1" in systemd.recv(4096).decode().splitlines()


def test_the_user_and_the_paths_of_the_unit_are_those_of_the_page() -> None:
    page = (ROOT / "docs/install.md").read_text()
    (user,) = values("User")
    (command,) = values("ExecStart")
    assert re.search(rf"^useradd --system .* {user}$", page, re.MULTILINE)
    executable, *_, settings = command.split()
    assert executable == EXECUTABLE
    assert f"check-config --config {settings}\n" in page
    assert f"/dev/null {settings} " in page
