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
    start, control = code_blocks("docs/xapi-simulator.md", "sh")
    (settings,) = code_blocks("docs/xapi-simulator.md", "toml")
    certificates, _, command = start.partition("PYTHONPATH=tests ")
    run_shell(certificates.replace("python ", f"{sys.executable} ", 1))
    port = free_port()
    words = command.replace("8443", str(port)).split()
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
            assert server.stdout.readline() == f"https://127.0.0.1:{port}\n"
            config = settings.replace("/where/it/is", str(tmp_path))
            with running_service(tmp_path / "service", config) as service:
                headers = {"X-Simplestack-Hypervisor-Token": token("root", "secret")}
                guests = service.get(f"/xen/127.0.0.1:{port}/guests", headers=headers)
                assert len(guests.json) == 1000
                printed = run_shell(control.replace("8443", str(port)))
                assert '"VM.get_all_records":1' in printed
                guest = f"/xen/127.0.0.1:{port}/guests/{guests.json[0]['id']}"
                refused = service.post(f"{guest}/disks", {"size": 1}, headers=headers)
                assert (refused.status, refused.error) == (507, "InsufficientStorage")
        finally:
            server.terminate()
            server.wait(20)
