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
from simulators.tls import make_trust
from support.service import running_service

SERVICE = "http://127.0.0.1:8081"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"


def test_the_five_minutes_of_the_readme_make_start_export_and_delete_a_guest_again_and_again(
    tmp_path: Path, run_shell: Callable[[str], str]
) -> None:
    with running_service(tmp_path / "service") as service:
        script = "\n".join(code_blocks("README.md", "sh"))
        assert SERVICE in script
        for _ in range(2):
            printed = run_shell(script.replace(SERVICE, f"http://127.0.0.1:{service.port}"))
        guests = service.get("/mock/demo/guests?fields=name").json
        assert "first" not in [guest["name"] for guest in guests]

    made = json.loads((tmp_path / "guest.json").read_text())
    assert (made["name"], made["memory"], made["hdd"], made["state"]) == ("first", 512, 10, "STOPPED")
    assert '"action":"start"' in printed
    assert '"state":"STARTED"' in printed
    assert '"action":"force_stop"' in printed
    assert tarfile.is_tarfile(tmp_path / "first.tar")


def test_the_readme_shows_what_the_service_answers(tmp_path: Path, run_shell: Callable[[str], str]) -> None:
    with running_service(tmp_path / "service") as service:
        script = "\n".join(code_blocks("README.md", "sh"))
        printed = run_shell(script.replace(SERVICE, f"http://127.0.0.1:{service.port}"))
    shown = [line for block in code_blocks("README.md", "text") for line in block.strip().splitlines()]
    assert len(shown) == len(printed.splitlines())
    for line, answer in zip(shown, printed.splitlines(), strict=True):
        parts = re.split(r", \.\.\.,? ?", re.sub(f"{_UUID}|{_TIME}", "*", line))
        own = re.sub(f"{_UUID}|{_TIME}", "*", answer)
        assert all(part in own for part in parts), (line, answer)


def test_tokens_of_any_length_are_made_on_one_line() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert [page.name for page in pages if re.search(r"\| base64(?! -w0)", page.read_text())] == []


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


def test_the_readme_says_what_each_plugin_was_tested_against_and_nothing_else() -> None:
    rows = re.findall(
        r"^\| `(\w+)`.*operations(?:, tested against: (.*))? \|$",
        (ROOT / "README.md").read_text(),
        re.MULTILINE,
    )
    installed, _ = load_hypervisors(None)
    assert dict(rows) == {"mock": ""} | {
        found.name: found.plugin.tested_against for found in installed if found.name != "mock"
    }


def test_the_settings_in_the_deployment_guide_are_accepted(tmp_path: Path) -> None:
    (settings,) = code_blocks("docs/deploy.md", "toml")
    pair = make_trust(tmp_path).certificate
    settings = re.sub(r'"/etc/simplestack/\w+\.pem"', f'"{pair}"', settings)
    file = tmp_path / "simplestack.toml"
    file.write_text(settings)
    command = [sys.executable, "-m", "simplestack", "check-config", "--running", "--config", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "listens on 0.0.0.0:8443, hypervisors: mock" in checked.stdout


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    assert "python3 bootstrap.py tests" in (ROOT / "README.md").read_text()
    assert "python3 bootstrap.py tests" in (ROOT / ".ci/run").read_text()
