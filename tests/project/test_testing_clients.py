"""The page for client authors: each command and rule on it does what the page says."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from project.repository import ROOT, code_blocks
from support.faults import RULES, settings
from support.service import running_service

PAGE = "docs/testing-clients.md"
SERVICE = "http://127.0.0.1:8081"
_RULE = re.compile(r"^\| .* \| `(\{.*\})` \|$", re.MULTILINE)


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path, run_shell: Callable[[str], str]) -> None:
    text, rules = code_blocks(PAGE, "toml")
    config = (text + rules).replace('"./', f'"{tmp_path}/')
    with running_service(tmp_path / "service", config) as service:
        address = f"http://127.0.0.1:{service.port}"
        listing, rule, looking = (block.replace(SERVICE, address) for block in code_blocks(PAGE, "sh"))
        assert run_shell(listing).count('"name"') == 1002

        run_shell(rule)
        made = [service.post("/mock/retry/guests", {"name": name, "memory": 64}) for name in "abc"]
        assert [answer.status for answer in made] == [201, 503, 201]
        assert made[1].headers["retry-after"] == "2"

        shown = json.loads(run_shell(looking))
        assert [(report["calls"], report["hits"]) for report in shown["rules"]] == [(3, 1)]
        assert [(count["operation"], count["calls"]) for count in shown["calls"]] == [("guest_create", 3)]
        assert service.get("/_fault_injection?host=retry").json == {"rules": [], "calls": []}

        for host in ("broken", "other"):
            guest = next(g["id"] for g in service.get(f"/mock/{host}/guests").json if g["state"] == "STOPPED")
            broken = pytest.raises(http.client.IncompleteRead) if host == "broken" else nullcontext()
            with broken:
                service.get(f"/mock/{host}/guests/{guest}/export")


def test_every_rule_to_try_is_one(tmp_path: Path) -> None:
    rules = [json.loads(found) for found in _RULE.findall((ROOT / PAGE).read_text())]
    assert len(rules) == 8
    with running_service(tmp_path / "service", settings(tmp_path / "faults.sqlite3")) as service:
        for rule in rules:
            answer = service.post(RULES, rule)
            assert (answer.status, answer.json["rule"]) == (201, rule)


def test_the_python_of_the_page_runs(tmp_path: Path) -> None:
    (script,) = code_blocks(PAGE, "python")
    (tmp_path / "testing.toml").write_text(code_blocks(PAGE, "toml")[0])
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "busy, as the rule says: rule 1 of fault injection makes guest_list fail" in ran.stdout
    assert (
        "2 guests; [CallCount(hypervisor='mock', host='demo', operation='guest_list', calls=2)]" in ran.stdout
    )
