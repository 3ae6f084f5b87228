"""URIs: what callers send stays data in them."""

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from simplestack import Credentials, InvalidArguments, Target
from simplestack.sessions.targets import parse_target
from simplestack_kvm.libvirtd.connection.transports import chosen_transport, find_route
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd

HOSTILE_USERNAMES = [
    "root?keyfile=/etc/shadow",
    "root@192.0.2.1/?x=",
    "a/b?command=/bin/touch",
    "%3Fno_verify=1",
    "root#",
    "root:x",
    "ünï cödé",
]
HOSTILE_HOSTS = [
    "localhost?command=x",
    "localhost/system?no_verify=1",
    "user@localhost",
    "localhost#",
    "local host",
    "localhost%2F",
    "unix:///x",
    "[::1%25lo]",
    "-oProxyCommand=x",
    "127.1",
    "0x7f.0.0.1:1:2",
]


@pytest.mark.parametrize("username", HOSTILE_USERNAMES)
def test_defect_08_a_user_name_cannot_add_parameters(libvirtd: Libvirtd, username: str) -> None:
    settings = KvmSettings(transport="ssh", ssh_known_hosts_file=libvirtd.known_hosts)
    target = Target("localhost", libvirtd.ssh_port)
    uri = urlsplit(find_route(target, Credentials(username, "x"), settings).uri)
    assert unquote(uri.username or "") == username
    assert (uri.hostname, uri.port, uri.path, uri.fragment) == ("localhost", libvirtd.ssh_port, "/system", "")
    assert {name for name, _ in parse_qsl(uri.query, strict_parsing=True)} == {
        "sshauth",
        "known_hosts",
        "known_hosts_verify",
        "authfile",
    }


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_defect_07_a_host_is_a_name_or_an_address_and_nothing_else(host: str) -> None:
    with pytest.raises(InvalidArguments):
        parse_target(host)


def test_defect_09_nothing_is_left_unverified_by_default(libvirtd: Libvirtd) -> None:
    caller = Credentials("alice", "x")
    pki = libvirtd.pki
    for settings, port, verification in (
        (KvmSettings(transport="tls", tls_pki_path=pki), libvirtd.tls_port, None),
        (KvmSettings(transport="ssh", tls_pki_path=pki), libvirtd.ssh_port, "normal"),
    ):
        uri = find_route(Target("localhost", port), caller, settings).uri
        parameters = dict(parse_qsl(urlsplit(uri).query))
        assert "no_verify" not in parameters
        assert parameters.get("known_hosts_verify") == verification


def test_paths_in_the_settings_stay_whole(libvirtd: Libvirtd, tmp_path: Path) -> None:
    known_hosts = tmp_path / "a&b=c?d#e f%41"
    settings = KvmSettings(transport="ssh", ssh_known_hosts_file=str(known_hosts))
    uri = find_route(Target("localhost", libvirtd.ssh_port), Credentials("a", "b"), settings).uri
    assert dict(parse_qsl(urlsplit(uri).query))["known_hosts"] == str(known_hosts)


def test_a_plain_connection_goes_to_the_address_that_was_probed(libvirtd: Libvirtd) -> None:
    settings = KvmSettings(transport="tcp")
    route = find_route(Target("localhost", libvirtd.tcp_port), Credentials("a", "b"), settings)
    assert urlsplit(route.uri).netloc == f"127.0.0.1:{libvirtd.tcp_port}"


@pytest.mark.parametrize(
    ("host", "transport"),
    [
        ("localhost", "unix"),
        ("127.0.0.1", "unix"),
        ("[::1]", "unix"),
        ("localhost:16514", "tls"),
        ("192.0.2.1", "tls"),
        ("kvm.example.org", "tls"),
    ],
)
def test_auto_is_the_unix_socket_here_and_tls_elsewhere(host: str, transport: str) -> None:
    assert chosen_transport(parse_target(host), KvmSettings()) == transport
