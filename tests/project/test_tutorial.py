"""The tutorial shows the example's own code, and its commands do what it says."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from project.repository import ROOT, code_blocks
from simplestack.identity.accounts import hash_password
from support.service import Service, running_service, token

PAGE = "docs/first-hypervisor.md"
EXCERPT = re.compile(r"^<!-- file: (?P<file>\S+) -->\n```\w+\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
EXCERPTS = [(match["file"], match["code"]) for match in EXCERPT.finditer((ROOT / PAGE).read_text())]


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, install_example: Callable[[str], Path]
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("tutorial")
    settings = (
        f'[hypervisors.example]\ndirectory = "{folder}"\naccounts = {{me = "{hash_password("learning")}"}}\n'
    )
    plugins = install_example("simplestack-example")
    with running_service(folder / "service", settings, plugins=plugins) as running:
        running.default_headers["X-Simplestack-Hypervisor-Token"] = token("me", "learning")
        yield running


@pytest.mark.parametrize(("file", "code"), EXCERPTS)
def test_an_excerpt_is_what_the_example_has(file: str, code: str) -> None:
    assert code in (ROOT / file).read_text()


def test_all_code_of_the_tutorial_is_an_excerpt() -> None:
    blocks = code_blocks(PAGE, "python") + code_blocks(PAGE, "toml")
    assert sorted(blocks) == sorted(code for _, code in EXCERPTS)
    assert blocks


def test_the_failure_in_the_tutorial_is_what_the_command_prints(
    install_example: Callable[[str], Path],
) -> None:
    plugins = install_example("simplestack-example")
    module = plugins / "simplestack_example" / "guests.py"
    module.write_text(module.read_text().replace("def guest_start", "def guest_strt"))
    listed = subprocess.run(
        [sys.executable, "-m", "simplestack", "plugins"],
        env={"PYTHONPATH": str(plugins)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 1
    assert [listed.stderr] == code_blocks(PAGE, "text")


def test_the_commands_of_the_tutorial_start_a_guest(
    service: Service, run_shell: Callable[[str], str]
) -> None:
    script = code_blocks(PAGE, "sh")[-1]
    printed = run_shell(script.replace("http://127.0.0.1:8081", f"http://127.0.0.1:{service.port}"))
    assert '"action":"start"' in printed
    assert '"state":"STARTED"' in printed


def test_a_started_guest_counts_in_the_pool_until_it_is_stopped(service: Service) -> None:
    guest = service.get("/example/pool/guests").json[0]
    assert (guest["state"], guest["host"]) == ("STOPPED", None)
    assert service.get("/example/pool").json["used_memory"] == 0

    assert service.put(f"/example/pool/guests/{guest['id']}/power", {"state": "start"}).status == 200
    assert service.get("/example/pool").json["used_memory"] == guest["memory"]

    assert service.put(f"/example/pool/guests/{guest['id']}/power", {"state": "stop"}).status == 200
    assert service.get(f"/example/pool/guests/{guest['id']}").json["state"] == "STOPPED"
    assert service.get("/example/pool").json["used_memory"] == 0


def test_a_wrong_power_state_is_named(service: Service) -> None:
    guest = service.get("/example/power/guests").json[0]
    refused = service.put(f"/example/power/guests/{guest['id']}/power", {"state": "stop"})
    assert (refused.status, refused.error) == (409, "InvalidState")
    assert (refused.json["current"], refused.json["needed"]) == ("STOPPED", "STARTED")


def test_what_the_plugin_leaves_out_is_not_implemented(service: Service) -> None:
    guest = service.get("/example/lab1/guests").json[0]
    missing = service.get(f"/example/lab1/guests/{guest['id']}/disks")
    assert (missing.status, missing.error) == (501, "NotImplementedError")


def test_an_id_is_looked_up_and_never_part_of_a_path(service: Service) -> None:
    missing = service.put("/example/lab1/guests/..%2F..%2Fguest/power", {"state": "start"})
    assert (missing.status, missing.error) == (404, "EntityNotFound")


def test_a_wrong_password_is_refused(service: Service) -> None:
    wrong = {"X-Simplestack-Hypervisor-Token": token("me", "guessing")}
    refused = service.get("/example/lab1/guests", headers=wrong)
    assert (refused.status, refused.error) == (401, "Unauthorized")


def test_without_accounts_nobody_gets_in_and_the_log_says_why(
    tmp_path: Path, install_example: Callable[[str], Path]
) -> None:
    plugins = install_example("simplestack-example")
    with running_service(
        tmp_path, f'[hypervisors.example]\ndirectory = "{tmp_path}"', plugins=plugins
    ) as service:
        assert service.get("/example/lab1").status == 401
        assert "hypervisors.example.accounts is empty" in service.log
