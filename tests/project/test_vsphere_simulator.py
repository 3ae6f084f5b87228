"""The vSphere simulator's page: its commands work as they are written, but for ports and paths."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from project.repository import ROOT, code_blocks
from support.service import free_port


def test_the_simulator_is_started_and_controlled_as_its_page_says(
    run_shell: Callable[[str], str], tmp_path: Path
) -> None:
    command, control = code_blocks("docs/vsphere-simulator.md", "sh")
    (prints,) = code_blocks("docs/vsphere-simulator.md", "text")
    ports = {"8989": str(free_port()), "8990": str(free_port())}

    def with_ports(text: str) -> str:
        for written, free in ports.items():
            text = text.replace(written, free)
        return text

    words = with_ports(command.removeprefix("PYTHONPATH=tests ")).split()
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
            expected = with_ports(prints).replace("/where/it/is", str(tmp_path))
            for line in expected.splitlines(keepends=True):
                assert server.stdout.readline() == line
            told = run_shell(with_ports(control))
            counts, state = told.split("}", 1)
            assert json.loads(f"{counts}}}") == {}
            assert len(json.loads(state)["vms"]) == 1002
        finally:
            server.terminate()
            server.wait(20)
