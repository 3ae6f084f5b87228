"""The command line."""

import base64
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simplestack import Credentials, Unauthorized, check_account
from simplestack.identity.tokens import token_hash
from simulators.tls import make_trust


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
    config.write_text("[server]\nbind = '127.0.0.1:9000'\nhypervisors = ['mock']")
    result = run("check-config", "--config", str(config))
    assert result.returncode == 0
    assert result.stdout == "ok: listens on 127.0.0.1:9000, hypervisors: mock, services: none\n"
    config.write_text("[server]\nbnid = 'x'")
    for arguments in (("check-config",), ("serve",), ("plugins",)):
        result = run(*arguments, SIMPLESTACK_CONFIG=str(config))
        assert result.returncode == 1
        assert result.stderr == "Error: server.bnid: there is no such setting; did you mean 'bind'?\n"


BAD_STARTS = {
    "bind = '127.0.0.1'": "server.bind: '127.0.0.1' is not HOST:PORT, such as 127.0.0.1:8081 or [::1]:8081",
    "bind = '127.0.0.1:99999'": "server.bind: 99999 is not a port: use 1 to 65535",
    "certificate = '{cert}'\nprivate_key = '{none}'": (
        "server.private_key: cannot read {none}: No such file or directory"
    ),
    "certificate = '{cert}'\nprivate_key = '{other}'": "server.private_key: {other} is not the key of {cert}",
    "certificate = '{ca}'\nprivate_key = '{ca}'": (
        "server.certificate, server.private_key: {ca} must have a certificate and {ca} its private key, both "
        "as PEM (SSLError)"
    ),
    "certificate = '{none}'\nprivate_key = '{none}'": (
        "server.certificate: cannot read {none}: No such file or directory\n"
        "server.private_key: cannot read {none}: No such file or directory"
    ),
}


@pytest.mark.parametrize("settings", BAD_STARTS)
def test_a_service_that_cannot_work_does_not_start_and_check_config_says_why(
    tmp_path: Path, settings: str
) -> None:
    trust, other = make_trust(tmp_path / "a"), make_trust(tmp_path / "b")
    files = {
        "cert": trust.certificate,
        "other": other.certificate,
        "ca": trust.ca_file,
        "none": tmp_path / "no",
    }
    config = tmp_path / "simplestack.toml"
    config.write_text("[server]\n" + settings.format_map(files))
    for command in ("check-config", "serve"):
        result = run(command, "--config", str(config))
        assert result.returncode == 1
        assert result.stderr == f"Error: {BAD_STARTS[settings].format_map(files)}\n"


def test_a_private_key_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    trust = make_trust(tmp_path)
    config = tmp_path / "simplestack.toml"
    pair = f"certificate = '{trust.certificate}'\nprivate_key = '{trust.certificate}'"
    config.write_text(f"[server]\nhypervisors = ['mock']\n{pair}")
    assert "private_key" not in run("check-config", "--config", str(config)).stderr
    trust.certificate.chmod(0o644)
    result = run("check-config", "--config", str(config))
    assert result.returncode == 0
    assert f"every user of this machine can read {trust.certificate}: use `chmod 600`" in result.stderr


def test_a_port_that_is_taken_ends_the_service_with_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--bind", f"127.0.0.1:{port}", XDG_STATE_HOME=str(tmp_path))
    assert result.returncode != 0
    assert f"Connection in use: ('127.0.0.1', {port})" in result.stderr
