"""Rules: which calls they are about, where they are, and how tests set them."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from simplestack import Busy, Conflict, EntityNotFound, Stack
from simplestack.fault_injection import CallCount, Faults, Rule
from simplestack.fault_injection.rules import MAX_RULES
from simplestack.identity.tokens import token_hash
from support.faults import RULES, add_rule, guests, settings, stopped
from support.service import Service, running_service, wait_for


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"operation": "guest_exprt", "action": "hang"}, "did you mean 'guest_export'?"),
        ({"action": "explode"}, "`action` is the string 'explode': send delay, error, hang or drop"),
        (
            {"action": "error"},
            "`error` is required with the action `error`, and not allowed with other actions",
        ),
        ({"action": "error", "error": "Bussy"}, "did you mean 'Busy'?"),
        ({"action": "hang", "error": "Busy"}, "`error` is required with the action `error`"),
        ({"action": "delay"}, "`delay_seconds` is required with the action `delay`"),
        (
            {"action": "delay", "delay_seconds": 1e9},
            "`delay_seconds` is 1000000000: send a number of seconds (0 to 3600)",
        ),
        ({"action": "drop", "message": "x"}, "require the action `error`"),
        (
            {"action": "drop", "after_bytes": 5},
            '`after_bytes` requires `when` "before" and one of the operations guest_export',
        ),
        ({"action": "drop", "on_call": 0}, "`on_call` is 0: send a whole number (1 to 1000000000)"),
        ({"action": "drop", "tims": 1}, "did you mean `times`?"),
        ({}, "`action` is missing: send delay, error, hang or drop"),
    ],
)
def test_a_rule_that_could_not_do_what_it_says_is_rejected(
    service: Service, members: Any, reason: str
) -> None:
    answer = service.post(RULES, members)
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert reason in answer.json["message"]
    assert service.get(RULES).json == []


def test_a_rule_for_one_host_cannot_be_too_deep_for_the_calls_of_others(service: Service, host: str) -> None:
    rule = '{"host": "x", "action": "error", "error": "Busy", "details": {"a": %s}}'
    for levels, status in ((15, 201), (16, 400), (975, 400)):
        body = (rule % ("[" * levels + "]" * levels)).encode()
        made = service.post(RULES, body, headers={"Content-Type": "application/json"})
        assert made.status == status, made
        assert guests(service, host).status == 200
    service.delete(f"{RULES}?host=x")


def test_a_rule_is_about_one_hypervisor_or_one_host(service: Service, host: str) -> None:
    add_rule(service, hypervisor="xen", host=host, action="error", error="Busy")
    add_rule(service, host=f"other{host}", action="error", error="Busy")
    assert guests(service, host).status == 200
    add_rule(service, hypervisor="mock", host=host.upper(), action="error", error="Conflict")
    assert guests(service, host).error == "Conflict"
    assert guests(service, f"other{host}").error == "Busy"
    assert len(service.get(f"{RULES}?host={host}").json) == 2
    assert len(service.get(f"{RULES}?host={host}&hypervisor=mock").json) == 1
    assert service.delete(f"{RULES}?host={host}").status == 204
    assert guests(service, host).status == 200
    assert guests(service, f"other{host}").error == "Busy"


def test_what_was_called_is_counted_for_each_host(service: Service, host: str) -> None:
    guests(service, host)
    service.get(stopped(service, host))
    shown = service.get(f"/_fault_injection?host={host}").json
    assert shown == {
        "rules": [],
        "calls": [
            {"hypervisor": "mock", "host": host, "operation": "guest_info", "calls": 1},
            {"hypervisor": "mock", "host": host, "operation": "guest_list", "calls": 2},
        ],
    }
    add_rule(service, host=host, action="hang")
    assert service.delete(f"/_fault_injection?host={host}").status == 204
    assert service.get(f"/_fault_injection?host={host}").json == {"rules": [], "calls": []}


def test_an_unknown_rule_is_not_found(service: Service) -> None:
    made = add_rule(service, host="nowhere", action="hang")
    for word in ("999999", "x", "9" * 30, "-1"):
        assert service.get(f"{RULES}/{word}").error == "EntityNotFound"
        assert service.delete(f"{RULES}/{word}").error == "EntityNotFound"
    assert service.get(made.headers["location"]).json["rule"] == {"host": "nowhere", "action": "hang"}


def test_rules_outlive_a_worker_and_the_service(tmp_path: Path) -> None:
    file = tmp_path / "faults.sqlite3"
    with running_service(tmp_path / "first", settings(file)) as service:
        add_rule(service, operation="guest_list", action="error", error="Busy", on_call=2)
        assert guests(service, "demo").status == 200
        for worker in psutil.Process(service.process.pid).children():
            os.kill(worker.pid, signal.SIGKILL)
        wait_for(lambda: _answers(service), what="new workers")
        assert guests(service, "demo").error == "Busy"
    with running_service(tmp_path / "second", settings(file)) as service:
        assert guests(service, "demo").error == "Busy"
    assert file.stat().st_mode & 0o777 == 0o600


def _answers(service: Service) -> bool:
    try:
        return service.get("/healthz").status == 200
    except OSError:
        return False


def test_a_new_file_begins_with_the_rules_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "faults.sqlite3"
    rules = "[[services.fault_injection.rules]]\noperation = 'disk_list'\naction = 'error'\nerror = 'Busy'\n"
    for folder in ("first", "second"):
        with running_service(tmp_path / folder, settings(file) + rules) as service:
            path = stopped(service, "demo")
            assert service.get(f"{path}/disks").status == (409 if folder == "first" else 200)
            service.delete(RULES)
    file.unlink()
    *_, error = check_config(settings(file) + rules.replace("disk_list", "disk_lst"), tmp_path).splitlines()
    assert error == (
        "Error: services.fault_injection.rules[0]: no operation 'disk_lst'; did you mean 'disk_list'?"
    )


def check_config(text: str, folder: Path) -> str:
    config = folder / "simplestack.toml"
    config.write_text(text)
    command = [sys.executable, "-m", "simplestack", "check-config", "--config", str(config)]
    environment = {**os.environ, "SIMPLESTACK_SERVER__BIND": "127.0.0.1:0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr


def test_it_is_off_unless_it_is_named(tmp_path: Path) -> None:
    with running_service(tmp_path, "") as service:
        assert service.get(RULES).status == 404
        assert service.post(RULES, {"action": "hang"}).status == 405
        assert "FAULT INJECTION" not in service.log


def test_the_operator_is_told_that_it_is_on(service: Service) -> None:
    (line,) = (line for line in service.log.splitlines() if "FAULT INJECTION IS ON" in line)
    assert " WARNING " in line
    assert "every client of this service can make operations of every hypervisor fail" in line


def test_its_pages_need_the_service_token(tmp_path: Path) -> None:
    tokens = f"[server.tokens]\nrobot = '{token_hash('right')}'\n"
    with running_service(tmp_path / "service", settings(tmp_path / "faults.sqlite3") + tokens) as service:
        for path in ("/_fault_injection", RULES, f"{RULES}/1"):
            for method in ("GET", "POST", "DELETE"):
                assert service.request(method, path).error == "Unauthorized"
                # gunicorn lets clients on its own machine name the prefix
                prefixed = service.request(method, f"/x{path[1:]}", headers={"SCRIPT_NAME": "/x"})
                assert prefixed.error == "RouteNotFound"
                slash = service.request(method, f"/x{path}", headers={"SCRIPT_NAME": "/x/"})
                assert slash.error == "Unauthorized"
        assert service.get(RULES, headers={"Authorization": "Bearer right"}).json == []


def test_a_file_that_is_not_its_own_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite3"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE account (name TEXT)")
    connection.close()
    before = other.read_bytes()
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all, but long enough to be looked at" * 20)
    for file, reason in (
        (other, f"{other} has no rules of this version of fault injection: choose another file"),
        (text, "file is not a database"),
        (tmp_path, "unable to open database file"),
        (tmp_path / "no" / "folder", "No such file or directory"),
    ):
        assert reason in check_config(settings(file), tmp_path)
    assert other.read_bytes() == before


def test_tests_in_python_set_rules_without_http(tmp_path: Path) -> None:
    file = tmp_path / "faults.sqlite3"
    config = tmp_path / "simplestack.toml"
    config.write_text(settings(file, f"database = '{tmp_path}/mock.sqlite3'\n"))
    faults = Faults(file)
    made = faults.add(Rule(operation="guest_list", action="error", error="Busy", times=1))
    with Stack("mock", "demo", "anybody", "", config=config) as stack:
        with pytest.raises(Busy, match=f"rule {made.id} of fault injection makes guest_list fail"):
            stack.guest_list()
        assert stack.guest_list()
    assert [(report.id, report.calls, report.hits) for report in faults.rules()] == [(made.id, 2, 1)]
    assert faults.calls() == [CallCount(hypervisor="mock", host="demo", operation="guest_list", calls=2)]
    faults.remove(made.id)
    with pytest.raises(EntityNotFound):
        faults.remove(made.id)
    faults.forget_calls()
    assert (faults.rules(), faults.calls()) == ([], [])


def test_a_file_takes_a_bounded_number_of_rules(tmp_path: Path) -> None:
    rule = Rule(action="hang", host="nowhere")
    faults = Faults(tmp_path / "faults.sqlite3", [rule] * (MAX_RULES - 1))
    last = faults.add(rule)
    with pytest.raises(Conflict, match="has 1000 rules and takes at most 1000"):
        faults.add(rule)
    assert len(faults.rules()) == MAX_RULES
    faults.remove(last.id)
    assert faults.add(rule).id > last.id
    first = "[[services.fault_injection.rules]]\naction = 'hang'\n" * (MAX_RULES + 1)
    assert "rules" in check_config(settings(tmp_path / "other.sqlite3") + first, tmp_path)


@pytest.mark.parametrize(
    "stored", [b'{"action": "explode"}', b'{"action": "hang", "later": 1}', b"\xff", b"", "{}", None]
)
def test_a_rule_of_another_version_is_ignored_and_can_be_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stored: object
) -> None:
    file = tmp_path / "faults.sqlite3"
    Faults(file).add(Rule(action="error", error="Busy", operation="host_list"))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE rule SET rule = IFNULL(?, 7)", (stored,))
    config = tmp_path / "simplestack.toml"
    config.write_text(settings(file, f"database = '{tmp_path}/mock.sqlite3'\n"))
    with Stack("mock", "demo", "anybody", "", config=config) as stack:
        assert stack.host_list()
        assert stack.host_list()
    (line,) = (line for line in caplog.messages if "rule 1 of fault injection is ignored" in line)
    assert "remove it" in line
    faults = Faults(file)
    hang = faults.add(Rule(action="hang", host="nowhere"))
    assert [report.id for report in faults.rules()] == [hang.id]
    faults.remove_rules(host="nowhere")
    faults.remove(1)
    with pytest.raises(EntityNotFound):
        faults.remove(1)


def test_removing_all_rules_removes_those_of_other_versions(tmp_path: Path) -> None:
    faults = Faults(tmp_path / "faults.sqlite3")
    faults.add(Rule(action="hang"))
    with closing(sqlite3.connect(tmp_path / "faults.sqlite3")) as connection:
        with connection:
            connection.execute("UPDATE rule SET rule = '?'")
        faults.remove_rules()
        assert connection.execute("SELECT COUNT(*) FROM rule").fetchone() == (0,)


def test_rules_that_others_hold_delay_a_call_no_longer_than_its_time_limit(tmp_path: Path) -> None:
    file = tmp_path / "faults.sqlite3"
    config = tmp_path / "simplestack.toml"
    more = f"database = '{tmp_path}/mock.sqlite3'\ncall_timeout_seconds = 0.2\n"
    config.write_text(settings(file, more))
    with (
        Stack("mock", "demo", "anybody", "", config=config) as stack,
        closing(sqlite3.connect(file, isolation_level=None)) as holder,
    ):
        holder.execute("BEGIN IMMEDIATE")
        started_seconds = time.monotonic()
        with pytest.raises(Busy):
            stack.guest_list()
        assert time.monotonic() - started_seconds < 10
