"""The page for client authors: each command and rule on it does what the page says."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from project.repository import ROOT, code_blocks
from support.service import running_service

PAGE = "docs/testing-clients.md"
SERVICE = "http://127.0.0.1:8081"
_RULE = re.compile(r"^\| .* \| `(\{.*\})` \|$", re.MULTILINE)


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path, run_shell: Callable[[str], str]) -> None:
    settings, rules = code_blocks(PAGE, "toml")
    config = (settings + rules).replace("./laboratory.sqlite3", str(tmp_path / "laboratory.sqlite3"))
    with running_service(tmp_path / "service", config) as service:
        address = f"http://127.0.0.1:{service.port}"
        seeding, rule, looking = (block.replace(SERVICE, address) for block in code_blocks(PAGE, "sh"))
        printed = run_shell(seeding)
        assert '{"guests":1002}' in printed
        assert printed.count('"name"') == 1002

        run_shell(rule)
        made = [service.post("/mock/retry/guests", {"name": name, "memory": 64}) for name in "abc"]
        assert [answer.status for answer in made] == [201, 503, 201]
        assert made[1].headers["retry-after"] == "2"

        shown = run_shell(looking).partition("}]")[0]
        assert '"guest_create"' in shown
        assert service.get("/_mock/retry").json["calls"] == {}

        guest = next(g["id"] for g in service.get("/mock/x/guests").json if g["state"] == "STOPPED")
        with pytest.raises(http.client.IncompleteRead):
            service.get(f"/mock/x/guests/{guest}/export")


def test_every_rule_to_try_is_one(tmp_path: Path) -> None:
    rules = [json.loads(found) for found in _RULE.findall((ROOT / PAGE).read_text())]
    assert len(rules) == 8
    with running_service(tmp_path, "[hypervisors.mock]\nlaboratory = true") as service:
        for rule in rules:
            answer = service.post("/_mock/demo/rules", rule)
            assert (answer.status, answer.json["rule"]) == (201, rule)


def test_the_python_of_the_page_runs(tmp_path: Path) -> None:
    (script,) = code_blocks(PAGE, "python")
    (tmp_path / "laboratory.toml").write_text(code_blocks(PAGE, "toml")[0])
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "busy, as asked: guest_list: the laboratory was told to answer so" in ran.stdout
    assert "2 guests; {'guest_list': 2}" in ran.stdout
