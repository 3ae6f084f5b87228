"""Every transport, to a real libvirtd and a real sshd."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simplestack import (
    Credentials,
    HypervisorUnavailable,
    InvalidArguments,
    SimplestackError,
    Target,
    Unauthorized,
)
from simplestack.identity.accounts import hash_password
from simplestack_kvm import session as sessions
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd, make_certificates

HERE = Target("localhost")
ALICE = Credentials("alice", "wonder:land")


@pytest.fixture(scope="module")
def accounts() -> dict[str, str]:
    return {ALICE.username: hash_password(ALICE.password)}


@contextmanager
def connected(target: Target, credentials: Credentials, settings: KvmSettings) -> Iterator[KvmSession]:
    session = sessions.connect(target, credentials, settings)
    try:
        yield session
    finally:
        sessions.disconnect(session)


def works(target: Target, credentials: Credentials, settings: KvmSettings) -> bool:
    """Connect, and tell whether libvirt answers a call."""
    with connected(target, credentials, settings) as session:
        assert sessions.check(session)
        return bool(session.connection.getHostname())


def refusal(target: Target, credentials: Credentials, settings: KvmSettings) -> SimplestackError:
    """Try to connect, and return the error."""
    with pytest.raises(SimplestackError) as caught:
        works(target, credentials, settings)
    assert credentials.password not in f"{caught.value!r} {caught.value.details}"
    return caught.value


def ssh_settings(libvirtd: Libvirtd, **changes: Any) -> KvmSettings:
    return KvmSettings(**{"transport": "ssh", "ssh_known_hosts_file": libvirtd.known_hosts, **changes})


class TestUnix:
    def test_an_account_of_the_settings_gets_in(self, libvirtd: Libvirtd, accounts: dict[str, str]) -> None:
        assert works(HERE, ALICE, KvmSettings(socket=libvirtd.socket, accounts=accounts))

    def test_a_wrong_password_is_refused(self, libvirtd: Libvirtd, accounts: dict[str, str]) -> None:
        settings = KvmSettings(socket=libvirtd.socket, accounts=accounts)
        assert isinstance(refusal(HERE, Credentials("alice", "x"), settings), Unauthorized)

    def test_an_unknown_user_is_refused_like_a_wrong_password(
        self, libvirtd: Libvirtd, accounts: dict[str, str]
    ) -> None:
        settings = KvmSettings(socket=libvirtd.socket, accounts=accounts)
        unknown = refusal(HERE, Credentials("bob", "x"), settings)
        assert str(unknown) == str(refusal(HERE, Credentials("alice", "x"), settings))

    def test_without_accounts_nobody_gets_in(self, libvirtd: Libvirtd) -> None:
        assert isinstance(refusal(HERE, ALICE, KvmSettings(socket=libvirtd.socket)), Unauthorized)

    def test_other_hosts_are_an_invalid_argument(self, libvirtd: Libvirtd) -> None:
        settings = KvmSettings(transport="unix", socket=libvirtd.socket)
        error = refusal(Target("192.0.2.1"), ALICE, settings)
        assert isinstance(error, InvalidArguments)
        assert "localhost" in error.message

    def test_a_socket_that_is_not_there_is_unavailable(
        self, accounts: dict[str, str], tmp_path: Path
    ) -> None:
        error = refusal(HERE, ALICE, KvmSettings(socket=str(tmp_path / "none"), accounts=accounts))
        assert isinstance(error, HypervisorUnavailable)
        assert str(tmp_path) not in error.message


class TestTcp:
    def test_sasl_lets_the_caller_in_with_their_own_password(self, libvirtd: Libvirtd) -> None:
        caller = Credentials(libvirtd.username, libvirtd.password)
        assert works(Target("localhost", libvirtd.tcp_port), caller, KvmSettings(transport="tcp"))

    def test_sasl_refuses_a_wrong_password(self, libvirtd: Libvirtd) -> None:
        caller = Credentials(libvirtd.username, "x")
        error = refusal(Target("localhost", libvirtd.tcp_port), caller, KvmSettings(transport="tcp"))
        assert isinstance(error, Unauthorized)

    def test_an_account_of_the_settings_is_none_of_sasl(
        self, libvirtd: Libvirtd, accounts: dict[str, str]
    ) -> None:
        settings = KvmSettings(transport="tcp", accounts=accounts)
        assert isinstance(refusal(Target("localhost", libvirtd.tcp_port), ALICE, settings), Unauthorized)

    def test_a_user_name_with_the_characters_of_a_uri_is_only_a_name(self, libvirtd: Libvirtd) -> None:
        caller = Credentials(libvirtd.hostile_username, libvirtd.password)
        assert works(Target("localhost", libvirtd.tcp_port), caller, KvmSettings(transport="tcp"))

    def test_passwords_in_files_of_the_service_do_not_go_out_for_the_callers(
        self, libvirtd: Libvirtd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "auth.conf"
        file.write_text(
            f"[credentials-x]\nauthname={libvirtd.username}\npassword={libvirtd.password}\n"
            "[auth-libvirt-default]\ncredentials=x\n"
        )
        monkeypatch.setenv("LIBVIRT_AUTH_FILE", str(file))
        caller = Credentials(libvirtd.username, "x")
        error = refusal(Target("localhost", libvirtd.tcp_port), caller, KvmSettings(transport="tcp"))
        assert isinstance(error, Unauthorized)

    def test_where_libvirtd_asks_for_nothing_accounts_decide(
        self, other_libvirtd: Libvirtd, accounts: dict[str, str]
    ) -> None:
        target = Target("localhost", other_libvirtd.tcp_port)
        settings = KvmSettings(transport="tcp", accounts=accounts)
        assert works(target, ALICE, settings)
        assert isinstance(refusal(target, Credentials("alice", "x"), settings), Unauthorized)
        assert isinstance(refusal(target, ALICE, KvmSettings(transport="tcp")), Unauthorized)


class TestTls:
    def test_an_account_of_the_settings_gets_in(self, libvirtd: Libvirtd, accounts: dict[str, str]) -> None:
        settings = KvmSettings(tls_pki_path=libvirtd.pki, accounts=accounts)
        assert works(Target("localhost", libvirtd.tls_port), ALICE, settings)
        assert works(Target("127.0.0.1", libvirtd.tls_port), ALICE, settings)

    def test_the_certificate_of_the_service_is_not_enough(
        self, libvirtd: Libvirtd, accounts: dict[str, str]
    ) -> None:
        target = Target("localhost", libvirtd.tls_port)
        settings = KvmSettings(tls_pki_path=libvirtd.pki, accounts=accounts)
        assert isinstance(refusal(target, Credentials("alice", "x"), settings), Unauthorized)
        assert isinstance(refusal(target, ALICE, KvmSettings(tls_pki_path=libvirtd.pki)), Unauthorized)

    def test_sasl_over_tls_checks_the_callers_password(self, other_libvirtd: Libvirtd) -> None:
        target = Target("localhost", other_libvirtd.tls_port)
        settings = KvmSettings(tls_pki_path=other_libvirtd.pki)
        assert works(target, Credentials(other_libvirtd.username, other_libvirtd.password), settings)
        error = refusal(target, Credentials(other_libvirtd.username, "x"), settings)
        assert isinstance(error, Unauthorized)

    def test_a_server_whose_authority_is_unknown_is_refused_unless_told_otherwise(
        self, other_libvirtd: Libvirtd, tmp_path: Path
    ) -> None:
        make_certificates(tmp_path, "DNS:localhost")
        caller = Credentials(other_libvirtd.username, other_libvirtd.password)
        target = Target("localhost", other_libvirtd.tls_port)
        error = refusal(target, caller, KvmSettings(tls_pki_path=str(tmp_path)))
        assert isinstance(error, HypervisorUnavailable)
        assert "certificate" in error.message
        assert works(target, caller, KvmSettings(tls_pki_path=str(tmp_path), tls_verify=False))

    def test_a_certificate_of_another_name_is_refused(self, other_libvirtd: Libvirtd) -> None:
        caller = Credentials(other_libvirtd.username, other_libvirtd.password)
        target = Target("127.0.0.1", other_libvirtd.tls_port)
        error = refusal(target, caller, KvmSettings(tls_pki_path=other_libvirtd.pki))
        assert isinstance(error, HypervisorUnavailable)
        assert "127.0.0.1" in error.message

    def test_a_server_that_misses_our_certificate_is_unavailable(
        self, libvirtd: Libvirtd, accounts: dict[str, str], tmp_path: Path
    ) -> None:
        shutil.copy(Path(libvirtd.pki, "cacert.pem"), tmp_path)
        target = Target("localhost", libvirtd.tls_port)
        error = refusal(target, ALICE, KvmSettings(tls_pki_path=str(tmp_path), accounts=accounts))
        assert isinstance(error, HypervisorUnavailable)
        assert "certificate" in error.message

    def test_a_missing_authority_is_named_without_its_path(
        self, libvirtd: Libvirtd, accounts: dict[str, str], tmp_path: Path
    ) -> None:
        for name in ("clientcert.pem", "clientkey.pem"):
            shutil.copy(Path(libvirtd.pki, name), tmp_path / name)
        target = Target("localhost", libvirtd.tls_port)
        error = refusal(target, ALICE, KvmSettings(tls_pki_path=str(tmp_path), accounts=accounts))
        assert isinstance(error, HypervisorUnavailable)
        assert "CA certificate" in error.message
        assert str(tmp_path) not in error.message


class TestSsh:
    def test_the_caller_logs_in_with_their_own_password(self, libvirtd: Libvirtd) -> None:
        caller = Credentials(libvirtd.username, libvirtd.password)
        assert works(Target("localhost", libvirtd.ssh_port), caller, ssh_settings(libvirtd))

    def test_a_wrong_password_is_refused(self, libvirtd: Libvirtd) -> None:
        caller = Credentials(libvirtd.username, "x")
        error = refusal(Target("localhost", libvirtd.ssh_port), caller, ssh_settings(libvirtd))
        assert isinstance(error, Unauthorized)

    def test_a_user_name_with_the_characters_of_a_uri_is_only_a_name(self, libvirtd: Libvirtd) -> None:
        caller = Credentials(libvirtd.hostile_username, libvirtd.password)
        assert works(Target("localhost", libvirtd.ssh_port), caller, ssh_settings(libvirtd))

    @pytest.mark.parametrize("username", ["-oProxyCommand=x", "a;b", "$(a)", "a&b", "a|b"])
    def test_a_user_name_for_a_shell_is_refused(self, libvirtd: Libvirtd, username: str) -> None:
        caller = Credentials(username, libvirtd.password)
        error = refusal(Target("localhost", libvirtd.ssh_port), caller, ssh_settings(libvirtd))
        assert isinstance(error, Unauthorized)

    def test_an_sshd_that_asks_for_no_password_lets_nobody_in(self, libvirtd: Libvirtd) -> None:
        caller = Credentials(libvirtd.open_username, "anything")
        error = refusal(Target("localhost", libvirtd.ssh_port), caller, ssh_settings(libvirtd))
        assert isinstance(error, Unauthorized)

    def test_a_host_key_that_is_not_known_is_refused_unless_told_otherwise(
        self, libvirtd: Libvirtd, tmp_path: Path
    ) -> None:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.touch()
        caller = Credentials(libvirtd.username, libvirtd.password)
        target = Target("localhost", libvirtd.ssh_port)
        error = refusal(target, caller, ssh_settings(libvirtd, ssh_known_hosts_file=str(known_hosts)))
        assert isinstance(error, HypervisorUnavailable)
        assert "ssh_known_hosts_file" in error.message
        assert known_hosts.read_text() == ""
        unverified = ssh_settings(libvirtd, ssh_known_hosts_file=str(known_hosts), ssh_verify=False)
        assert works(target, caller, unverified)

    def test_a_host_key_that_changed_is_refused(self, libvirtd: Libvirtd, tmp_path: Path) -> None:
        known_hosts = tmp_path / "known_hosts"
        kind, key = Path(libvirtd.service_key).with_suffix(".pub").read_text().split()[:2]
        known_hosts.write_text(f"[localhost]:{libvirtd.ssh_port} {kind} {key}\n")
        caller = Credentials(libvirtd.username, libvirtd.password)
        settings = ssh_settings(libvirtd, ssh_known_hosts_file=str(known_hosts))
        error = refusal(Target("localhost", libvirtd.ssh_port), caller, settings)
        assert isinstance(error, HypervisorUnavailable)
        assert str(tmp_path) not in error.message

    def test_behind_the_key_of_the_service_accounts_decide(
        self, libvirtd: Libvirtd, accounts: dict[str, str]
    ) -> None:
        target = Target("localhost", libvirtd.ssh_port)
        key = {
            "ssh_auth": "key",
            "ssh_key_user": libvirtd.username,
            "ssh_key_file": libvirtd.service_key,
        }
        settings = ssh_settings(libvirtd, accounts=accounts, **key)
        assert works(target, ALICE, settings)
        assert isinstance(refusal(target, Credentials("alice", "x"), settings), Unauthorized)
        assert isinstance(refusal(target, ALICE, ssh_settings(libvirtd, **key)), Unauthorized)

    def test_a_key_that_cannot_be_read_is_not_the_callers_fault(
        self, libvirtd: Libvirtd, accounts: dict[str, str], tmp_path: Path
    ) -> None:
        settings = ssh_settings(
            libvirtd,
            accounts=accounts,
            ssh_auth="key",
            ssh_key_user=libvirtd.username,
            ssh_key_file=str(tmp_path / "secret" / "key"),
        )
        error = refusal(Target("localhost", libvirtd.ssh_port), ALICE, settings)
        assert isinstance(error, HypervisorUnavailable)
        assert str(tmp_path) not in error.message


@pytest.mark.parametrize("username", ["", "root\n", "root\0x", "\u202eroot"])
def test_user_names_that_c_would_read_differently_are_refused(libvirtd: Libvirtd, username: str) -> None:
    target = Target("localhost", libvirtd.ssh_port)
    error = refusal(target, Credentials(username, libvirtd.password), ssh_settings(libvirtd))
    assert isinstance(error, Unauthorized)
