"""The command line."""

import base64
import subprocess
import sys
from pathlib import Path

from simplestack import Credentials, Unauthorized, check_account
from simplestack.identity.tokens import token_hash


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simplestack", *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_token_asks_for_the_password_and_prints_the_header() -> None:
    result = run("token", "admin", stdin="a:b\n")
    assert result.returncode == 0
    assert base64.b64decode(result.stdout.splitlines()[-1].split()[-1]) == b"admin:a:b"
    assert "a:b" not in result.stdout
    assert run("token", "ad:min", stdin="x\n").returncode == 1


def test_hash_password_prints_a_hash_that_its_password_matches_alone() -> None:
    result = run("hash-password", stdin="secret\nsecret\n")
    hashed = result.stdout.split()[-1]
    assert hashed.startswith("scrypt$")
    accounts = {"admin": hashed}
    check_account(accounts, Credentials("admin", "secret"))
    for credentials in (
        Credentials("admin", "Secret"),
        Credentials("other", "secret"),
        Credentials("admin", ""),
    ):
        try:
            check_account(accounts, credentials)
        except Unauthorized as error:
            assert error.message == "wrong user name or password"  # noqa: PT017  the loop names the case
        else:
            raise AssertionError(credentials)


def test_service_token_prints_a_token_and_its_hash() -> None:
    made, hashed = (line.split()[-1] for line in run("service-token").stdout.splitlines())
    assert token_hash(made) == hashed
    assert len(made) >= 43


def test_operations_lists_all_39() -> None:
    result = run("operations")
    assert "network_vlan_create" in result.stdout
    assert "/guests/{guest_id}/snapshots/{snapshot_id}/revert" in result.stdout
    assert result.stdout.endswith("39 operations\n")


def test_plugins_imports_neither_the_server_nor_a_hypervisors_library() -> None:
    program = (
        "import sys; from simplestack.cli.main import main; main(['plugins'], standalone_mode=False); "
        "print(sorted({'falcon', 'gunicorn', 'libvirt'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_check_config_says_whether_the_service_would_start(tmp_path: Path) -> None:
    config = tmp_path / "simplestack.toml"
    config.write_text("[server]\nbind = '127.0.0.1:0'\nhypervisors = ['mock']")
    result = run("check-config", "--config", str(config))
    assert result.returncode == 0
    assert result.stdout == "ok: listens on 127.0.0.1:0, hypervisors: mock, services: none\n"
    config.write_text("[server]\nbind = '127.0.0.1:0'\nbnid = 'x'")
    for arguments in (("check-config",), ("serve",), ("plugins",)):
        result = run(*arguments, SIMPLESTACK_CONFIG=str(config))
        assert result.returncode == 1
        *warnings, error = result.stderr.splitlines()
        assert error == "Error: server.bnid: there is no such setting; did you mean 'bind'?"
        assert all(line.startswith("warning: ") for line in warnings)
