"""What the README and the pages for operators tell is so."""

import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from project.repository import ROOT, code_blocks
from simplestack.operations.table import OPERATIONS
from simplestack.plugins.discovery import load_hypervisors
from support.service import running_service

SERVICE = "http://127.0.0.1:8081"


def test_the_five_minutes_of_the_readme_make_start_and_export_a_guest(
    tmp_path: Path, run_shell: Callable[[str], str]
) -> None:
    with running_service(tmp_path / "service") as service:
        script = "\n".join(code_blocks("README.md", "sh"))
        assert SERVICE in script
        printed = run_shell(script.replace(SERVICE, f"http://127.0.0.1:{service.port}"))

    made = json.loads((tmp_path / "guest.json").read_text())
    assert (made["name"], made["memory"], made["hdd"], made["state"]) == ("first", 512, 10, "STOPPED")
    assert '"action":"start"' in printed
    assert '"state":"STARTED"' in printed
    assert '"action":"force_stop"' in printed
    assert tarfile.is_tarfile(tmp_path / "first.tar")


def test_every_address_that_the_pages_tell_to_get_is_there(tmp_path: Path) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    paths = {path for page in pages for path in re.findall(r"`GET (/[^`]*)`", page.read_text())}
    assert {"/", "/healthz", "/mock"} <= paths
    with running_service(tmp_path) as service:
        assert {path: service.get(path).status for path in paths} == dict.fromkeys(paths, 200)


def test_the_readme_says_how_many_operations_each_hypervisor_has() -> None:
    rows = re.findall(
        r"^\| `(\w+)`.*\| (\d+) of (\d+) operations", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    installed, _ = load_hypervisors(None)
    counted = {found.name: (len(found.operations), len(OPERATIONS)) for found in installed}
    assert {name: (int(has), int(all_)) for name, has, all_ in rows} == counted


def test_the_settings_in_the_deployment_guide_are_accepted(tmp_path: Path) -> None:
    (settings,) = code_blocks("docs/deploy.md", "toml")
    file = tmp_path / "simplestack.toml"
    file.write_text(settings)
    command = [sys.executable, "-m", "simplestack", "check-config", "--config", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "listens on 0.0.0.0:8443, hypervisors: mock" in checked.stdout


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    assert "python3 bootstrap.py tests" in (ROOT / "README.md").read_text()
    assert "python3 bootstrap.py tests" in (ROOT / ".ci/run").read_text()
