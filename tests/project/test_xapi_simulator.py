"""The simulator's page: its commands work as they are written, but for the port and the paths."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from project.repository import ROOT, code_blocks
from support.service import free_port, running_service, token


def test_the_simulator_is_started_and_reached_as_its_page_says(
    run_shell: Callable[[str], str], tmp_path: Path
) -> None:
    command, control, order = code_blocks("docs/xapi-simulator.md", "sh")
    (settings,) = code_blocks("docs/xapi-simulator.md", "toml")
    (prints,) = code_blocks("docs/xapi-simulator.md", "text")
    port = free_port()
    words = command.removeprefix("PYTHONPATH=tests ").replace("8443", str(port)).split()
    server = subprocess.Popen(
        [sys.executable, *words[1:]],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    with server.stdout:
        try:
            expected = prints.replace("8443", str(port)).replace("/where/it/is", str(tmp_path))
            for line in expected.splitlines(keepends=True):
                printed = server.stdout.readline()
                assert printed == line or (printed.split()[0], line.split()[0]) == ("slave", "slave")
            config = settings.replace("/where/it/is", str(tmp_path))
            with running_service(tmp_path / "service", config) as service:
                headers = {"X-Simplestack-Hypervisor-Token": token("root", "secret")}
                guests = service.get(f"/xen/127.0.0.1:{port}/guests", headers=headers)
                assert len(guests.json) == 1000
                counted = run_shell(control.replace("8443", str(port)))
                assert '"VM.get_all_records":1' in counted
                guest = f"/xen/127.0.0.1:{port}/guests/{guests.json[0]['id']}"
                refused = service.post(f"{guest}/disks", {"size": 1}, headers=headers)
                assert (refused.status, refused.error) == (507, "InsufficientStorage")
                run_shell(order.replace("8443", str(port)))  # it fails where the rule is not taken
        finally:
            server.terminate()
            server.wait(20)
