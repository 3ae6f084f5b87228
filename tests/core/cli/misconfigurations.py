"""Mistakes of operators, and what `simplestack check-config` says of each."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import NamedTuple

from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from simplestack.cli.main import main
from simulators.tls import make_trust
from support.distributions import install
from support.listing import good

TOKEN_HASH = f"sha256${'0' * 64}"
SERVER = "[server]\nbind = '127.0.0.1:0'\n"
MOCK = SERVER + "hypervisors = ['mock']\n"
#: What a service for other machines needs, besides the hosts and an address.
PUBLIC = f"""
hypervisors = ['mock']
certificate = '$pair'
private_key = '$pair'
tokens = {{ ci = '{TOKEN_HASH}' }}
"""
OWN_WARNINGS = ("warning: kvm: ", "warning: mock: ")
ALL_HOSTS = "[hypervisors.mock]\nallowed_hosts = ['*']\n"
WITHOUT_SDK = good("bare") + 'sdk = LazySdk("no_such_sdk", advice="install it there")\n'
WITH_TLS = good("own").replace("settings=HypervisorSettings", "settings=TlsSettings")


@dataclass(frozen=True)
class Mistake:
    """A mistake. Texts may have the names of :func:`place` after a `$`."""

    what: str
    settings: str
    #: The beginnings of the lines on standard error, without the warnings of the installed plugins.
    said: str
    environment: dict[str, str] = field(default_factory=dict)
    #: Whether the service starts in spite of an error, with other plugins.
    starts: bool = False
    #: Sources of hypervisor plugins that are installed, by name.
    plugins: dict[str, str] = field(default_factory=dict)
    #: The same of service plugins.
    services: dict[str, str] = field(default_factory=dict)

    @property
    def is_error(self) -> bool:
        """Whether `check-config` exits with 1."""
        return any(line.startswith("Error: ") for line in self.said.splitlines())


MISTAKES = [
    Mistake("the settings are not TOML", "[server", "Error: $config is not valid TOML: "),
    Mistake(
        "a misspelt table",
        MOCK + "[sevrer]\nthreads = 4",
        "Error: sevrer: there is no such setting; the tables are [server], [hypervisors.NAME] and "
        "[services.NAME]",
    ),
    Mistake(
        "a misspelt setting",
        MOCK + "bnid = '127.0.0.1:0'",
        "Error: server.bnid: there is no such setting; did you mean 'bind'?",
    ),
    Mistake(
        "a misspelt setting in the environment",
        MOCK,
        "Error: server.thread: there is no such setting; did you mean 'threads'?",
        {"SIMPLESTACK_SERVER__THREAD": "8"},
    ),
    Mistake(
        "a number as text", MOCK + "threads = '8'", "Error: server.threads: expected a whole number, got text"
    ),
    Mistake(
        "a number out of range", MOCK + "threads = 1", "Error: server.threads: expected a whole number >= 2"
    ),
    Mistake(
        "an unknown log level",
        MOCK + "log_level = 'loud'",
        "Error: server.log_level: expected debug, info, warning or error",
    ),
    Mistake(
        "`bind` without a port",
        "[server]\nbind = '127.0.0.1'\nhypervisors = ['mock']",
        "Error: server.bind: '127.0.0.1' is not HOST:PORT, such as 127.0.0.1:8081 or [::1]:8081",
    ),
    Mistake(
        "`bind` with an impossible port",
        "[server]\nbind = '127.0.0.1:99999'\nhypervisors = ['mock']",
        "Error: server.bind: 99999 is not a port: use 1 to 65535",
    ),
    Mistake(
        "a port that is in use",
        "[server]\nbind = '127.0.0.1:$port'\nhypervisors = ['mock']",
        "Error: server.bind: 127.0.0.1:$port is in use: stop the program that listens there, or set "
        "another port",
    ),
    Mistake(
        "another machine's address",
        "[server]\nbind = '192.0.2.1:8443'" + PUBLIC + ALL_HOSTS,
        "Error: server.bind: 192.0.2.1 is not an address of this machine: use one of its own, or "
        "0.0.0.0 for all",
    ),
    Mistake(
        "a host name that does not resolve",
        "[server]\nbind = 'no-such-host.invalid:8443'" + PUBLIC + ALL_HOSTS,
        "Error: server.bind: cannot resolve 'no-such-host.invalid': ",
    ),
    Mistake(
        "a Unix socket in a folder that is not there",
        "[server]\nbind = 'unix:$none/service.sock'\nhypervisors = ['mock']",
        "Error: server.bind: $none is not a folder: create it",
    ),
    Mistake(
        "a Unix socket with the path of a file",
        "[server]\nbind = 'unix:$config'\nhypervisors = ['mock']",
        "Error: server.bind: $config is not a socket: remove it, or set another path",
    ),
    Mistake(
        "a certificate without a key",
        MOCK + "certificate = '$pair'",
        "Error: server.certificate and server.private_key: set both or neither",
    ),
    Mistake(
        "a certificate and a key that are not there",
        MOCK + "certificate = '$none'\nprivate_key = '$none'",
        "Error: server.certificate: cannot read $none: No such file or directory\n"
        "Error: server.private_key: cannot read $none: No such file or directory",
    ),
    Mistake(
        "a certificate in place of the key",
        MOCK + "certificate = '$ca'\nprivate_key = '$ca'",
        "Error: server.certificate, server.private_key: $ca must have a certificate and $ca its "
        "private key, both as PEM (SSLError)",
    ),
    Mistake(
        "the key of another certificate",
        MOCK + "certificate = '$pair'\nprivate_key = '$other'",
        "Error: server.private_key: $other is not the key of $pair",
    ),
    Mistake(
        "a key with a password",
        MOCK + "certificate = '$pair'\nprivate_key = '$encrypted'",
        "Error: server.private_key: $encrypted has a password: remove it from the key",
    ),
    Mistake(
        "a key that everybody can read",
        MOCK + "certificate = '$readable'\nprivate_key = '$readable'",
        "warning: server.private_key: every user of this machine can read $readable: use `chmod 600`",
    ),
    Mistake(
        "a token in place of its hash",
        MOCK + "tokens = { ci = 'secret' }",
        "Error: server.tokens.ci: not a hash from `simplestack service-token`",
    ),
    Mistake(
        "other machines may connect, without `hypervisors`",
        "[server]\nbind = '0.0.0.0:0'" + PUBLIC.replace("hypervisors = ['mock']", ""),
        "Error: server.hypervisors is missing: to listen on 0.0.0.0:0, list the hypervisor plugins "
        'to use, for example hypervisors = ["kvm"]',
    ),
    Mistake(
        "other machines may connect, without `allowed_hosts`",
        "[server]\nbind = '0.0.0.0:0'" + PUBLIC,
        "Error: hypervisors.mock.allowed_hosts is missing: a service that listens on more than loopback ",
    ),
    Mistake(
        "other machines may connect, without TLS and tokens",
        "[server]\nbind = '0.0.0.0:0'\nhypervisors = ['mock']\n" + ALL_HOSTS,
        "warning: listening on 0.0.0.0:0 without TLS: the network can read the passwords in "
        "requests; set server.certificate and server.private_key, or use a proxy with TLS\n"
        "warning: listening on 0.0.0.0:0 without server.tokens: everybody who can connect can use "
        "the service; create a token with `simplestack service-token`",
    ),
    Mistake(
        "an address in place of a network",
        MOCK + "[hypervisors.mock]\nallowed_hosts = ['10.20.1.0/16', '10.30.0.0/16']",
        "Error: hypervisors.mock.allowed_hosts: '10.20.1.0/16' is an address in a range: write "
        "'10.20.0.0/16'",
    ),
    Mistake(
        "a URL in place of a host",
        MOCK + "[hypervisors.mock]\nallowed_hosts = ['https://hv1']",
        "Error: hypervisors.mock.allowed_hosts: 'https://hv1' is not a name, a glob, an address or a "
        "CIDR range",
    ),
    Mistake(
        "a misspelt setting of a hypervisor",
        MOCK + "[hypervisors.mock]\nallowed_host = ['hv1']",
        "Error: hypervisors.mock.allowed_host: there is no such setting; did you mean 'allowed_hosts'?",
    ),
    Mistake(
        "a misspelt setting of a single host",
        MOCK + "[hypervisors.mock.hosts.hv1]\ncall_timeout = 3",
        'Error: hypervisors.mock.hosts."hv1".call_timeout: there is no such setting; did you mean '
        "'call_timeout_seconds'?",
    ),
    Mistake(
        "a setting with a value that does not exist",
        SERVER + "hypervisors = ['kvm']\n[hypervisors.kvm]\ntransport = 'pigeon'",
        "Error: hypervisors.kvm.transport: 'pigeon' is not known: use auto, unix, tcp, tls, ssh",
    ),
    Mistake(
        "a hypervisor that is not installed",
        SERVER + "hypervisors = ['hyperv', 'mock']",
        "Error: server.hypervisors: no plugin 'hyperv' is installed; ",
    ),
    Mistake(
        "a hypervisor whose plugin fails",
        SERVER + "hypervisors = ['odd', 'mock']",
        "Error: not loaded: plugin 'odd' (simplestack-odd 1.0): importing plugin_odd:plugin failed: "
        "RuntimeError: no",
        plugins={"odd": "raise RuntimeError('no')"},
        starts=True,
    ),
    Mistake(
        "no hypervisor but one whose plugin fails",
        SERVER + "hypervisors = ['odd']",
        "Error: no hypervisor plugin could be loaded: the service does not start without any; \n"
        "Error: not loaded: plugin 'odd' (simplestack-odd 1.0): importing plugin_odd:plugin failed: ",
        plugins={"odd": "raise RuntimeError('no')"},
    ),
    Mistake(
        "a plugin that fails, and that no setting names",
        SERVER + "services = []",
        "warning: not loaded: plugin 'odd' (simplestack-odd 1.0): importing plugin_odd:plugin "
        "failed: RuntimeError: no",
        plugins={"odd": "raise RuntimeError('no')"},
    ),
    Mistake(
        "a plugin that hangs",
        SERVER + "hypervisors = ['slow', 'mock']\nplugin_timeout_seconds = 0.5",
        "Error: not loaded: plugin 'slow' (simplestack-slow 1.0): importing plugin_slow:plugin did "
        "not end within 0.5 s",
        plugins={"slow": "time.sleep(3600)"},
        starts=True,
    ),
    Mistake(
        "a plugin without its SDK",
        SERVER + "hypervisors = ['bare', 'mock']",
        "Error: bare: cannot import no_such_sdk (No module named 'no_such_sdk'): install it there",
        plugins={"bare": WITHOUT_SDK},
        starts=True,
    ),
    Mistake(
        "a file of a hypervisor that is not there",
        SERVER + "hypervisors = ['own', 'mock']\n[hypervisors.own]\ntls_ca_file = '$none'",
        "Error: hypervisors.own.tls_ca_file: cannot read $none: No such file or directory",
        plugins={"own": WITH_TLS},
        starts=True,
    ),
    Mistake(
        "a service plugin that fails",
        MOCK,
        "Error: service plugin 'policy' (simplestack-policy 1.0): importing plugin_policy:plugin "
        "failed: \n"
        "Error: the service does not start without its service plugins; to leave one out, name the "
        "others in server.services",
        services={"policy": "raise RuntimeError('no')"},
    ),
    Mistake(
        "a service plugin that is off",
        MOCK + "[services.fault_injection]",
        "warning: [services.fault_injection] has no effect: add 'fault_injection' to server.services",
    ),
]


@contextmanager
def place(folder: Path) -> Iterator[dict[str, str]]:
    """Make what the mistakes refer to: files in a folder, by name, and a port that is in use."""
    trust, other = make_trust(folder / "a"), make_trust(folder / "b")
    readable = folder / "readable.pem"
    shutil.copy(trust.certificate, readable)
    readable.chmod(0o644)
    encrypted = folder / "encrypted.pem"
    encrypted.touch(mode=0o600)
    trust.ca_file.chmod(0o600)
    key = load_pem_private_key(trust.certificate.read_bytes(), password=None)
    encrypted.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield {
            "pair": str(trust.certificate),
            "ca": str(trust.ca_file),
            "other": str(other.certificate),
            "readable": str(readable),
            "encrypted": str(encrypted),
            "none": str(folder / "none"),
            "port": str(taken.getsockname()[1]),
        }


class Done(NamedTuple):
    """What a command did with a mistake."""

    status: int
    stdout: str
    stderr: str
    #: The beginnings of the lines of standard error.
    expected: list[str]


def run(command: str, folder: Path, mistake: Mistake, names: dict[str, str]) -> Done:
    """Run a command with a mistake.

    :param folder: for its settings and its plugins
    """
    config, plugins = folder / "simplestack.toml", folder / "plugins"
    names = names | {"config": str(config)}
    config.touch(mode=0o600)
    config.write_text(Template(mistake.settings).safe_substitute(names))
    for name, source in mistake.plugins.items():
        install(plugins, name, source)
    for name, source in mistake.services.items():
        install(plugins, name, source, "simplestack.services")
    arguments = [command, "--config", str(config)]
    if command == "check-config" and not plugins.exists():
        # In this process: starting one takes most of the time.
        result = CliRunner().invoke(main, arguments, env=mistake.environment, catch_exceptions=False)
        status, stdout, stderr = result.exit_code, result.stdout, result.stderr
    else:
        done = subprocess.run(
            [sys.executable, "-m", "simplestack", *arguments],
            env={"PYTHONPATH": str(plugins), **mistake.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        status, stdout, stderr = done.returncode, done.stdout, done.stderr
    lines = [line for line in stderr.splitlines(keepends=True) if not line.startswith(OWN_WARNINGS)]
    return Done(status, stdout, "".join(lines), Template(mistake.said).safe_substitute(names).splitlines())
