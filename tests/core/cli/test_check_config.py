"""``simplestack check-config`` and the start of the service: everything that the service needs is tried."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simplestack.server.bind_check import bind_problem
from support.distributions import install
from support.listing import good
from support.service import running_service

from .misconfigurations import MISTAKES, SERVER, TOKEN_HASH, WITH_TLS, Mistake, place, run


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the mistakes refer to."""
    with place(tmp_path_factory.mktemp("place")) as names:
        yield names


def starts_with(lines: list[str], said: list[str]) -> bool:
    """Return whether each line begins with what is expected."""
    return len(lines) == len(said) and all(map(str.startswith, lines, said))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_check_config_says_what_is_wrong(tmp_path: Path, names: dict[str, str], mistake: Mistake) -> None:
    done = run("check-config", tmp_path, mistake, names)
    assert starts_with(done.stderr.splitlines(), done.expected), done.stderr
    assert done.status == (1 if mistake.is_error else 0)
    assert done.stdout.startswith("ok: listens on ") is not mistake.is_error


#: One of each kind.
STARTED = (
    "the settings are not TOML",
    "a misspelt setting",
    "a port that is in use",
    "a certificate and a key that are not there",
    "other machines may connect, without `allowed_hosts`",
    "a misspelt setting of a hypervisor",
    "no hypervisor but one whose plugin fails",
    "a service plugin that fails",
)


@pytest.mark.parametrize(
    "mistake", [mistake for mistake in MISTAKES if mistake.what in STARTED], ids=lambda mistake: mistake.what
)
def test_a_service_that_cannot_work_does_not_start_and_says_the_same(
    tmp_path: Path, names: dict[str, str], mistake: Mistake
) -> None:
    done = run("serve", tmp_path, mistake, names)
    assert done.status == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("not loaded: ")]
    assert starts_with(lines, [line for line in done.expected if "not loaded: " not in line]), done.stderr
    assert "Traceback" not in done.stderr


def test_the_service_starts_with_the_plugins_that_can_be_used_and_logs_what_is_wrong(
    tmp_path: Path, plugins: Path
) -> None:
    install(plugins, "odd", "raise RuntimeError('no')")
    install(plugins, "own", WITH_TLS)
    config = "[server]\nhypervisors = ['odd', 'own', 'mock']\n[hypervisors.own]\ntls_ca_file = '/nowhere'"
    with running_service(tmp_path / "service", config, plugins=plugins) as service:
        assert service.get("/mock/demo/hosts").status == 200
        assert "not loaded: plugin 'odd' (simplestack-odd 1.0): " in service.log
        assert "hypervisors.own.tls_ca_file: cannot read /nowhere: No such file" in service.log


def test_all_problems_are_shown_at_once(tmp_path: Path, names: dict[str, str]) -> None:
    settings = """
        [server]
        bind = '127.0.0.1:$port'
        threads = 'many'
        wrokers = 3
        certificate = '$none'
        private_key = '$other'
        tokens = { ci = 'secret' }
        hypervisors = ['mock', 'broken', 'hyperv']
        [sevrices]
        [hypervisors.mock]
        allowed_hosts = ['10.20.1.0/16', 'https://hv1']
        call_timeout_seconds = 0
        max_session_per_host = 3
        [hypervisors.mock.hosts.hv1]
        allowed_hosts = []
        idle_timeout_seconds = 'long'
        [services.fault_injection]
        rules = [{ operation = 'disk_lst', action = 'hang' }]
    """
    said = """
Error: sevrices: there is no such setting;
Error: server.
Error: server.
Error: server.tokens.ci:
Error: server.hypervisors: no plugin 'hyperv' is installed;
Error: services.fault_injection.rules[0]: no operation 'disk_lst';
Error: hypervisors.mock.
Error: hypervisors.mock.
Error: hypervisors.mock.allowed_hosts: '10.20.1.0/16'
Error: hypervisors.mock.allowed_hosts: 'https://hv1'
Error: hypervisors.mock.hosts."hv1".allowed_hosts: cannot be set for one host
Error: hypervisors.mock.hosts."hv1".idle_timeout_seconds:
Error: server.certificate: cannot read
Error: server.bind:
Error: not loaded: plugin 'broken'
"""
    mistake = Mistake(
        "all at once",
        settings,
        said.strip(),
        {"SIMPLESTACK_SERVER__SERVICES": "['fault_injection']"},
        plugins={"broken": "raise RuntimeError('no')"},
    )
    done = run("check-config", tmp_path, mistake, names)
    lines = done.stderr.splitlines()
    assert starts_with(lines, done.expected), done.stderr
    assert done.status == 1


def test_a_setting_that_is_left_out_as_invalid_causes_no_further_problem(
    tmp_path: Path, plugins: Path, names: dict[str, str]
) -> None:
    checked = """
class Settings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    site: str
    def __post_init__(self):
        if self.site == "far":
            raise ValueError("far away")
"""
    source = checked + good("own").replace("settings=HypervisorSettings", "settings=Settings")
    for setting, said in (
        ("site = 1", "Error: hypervisors.own.site: expected text, got a whole number"),
        ("site = 'far'", "Error: hypervisors.own: far away"),
    ):
        settings = f"{SERVER}hypervisors = ['own']\n[hypervisors.own]\n{setting}"
        mistake = Mistake("invalid", settings, said, plugins={"own": source})
        done = run("check-config", tmp_path, mistake, names)
        assert done.stderr == f"{said}\n"


def test_the_address_of_a_running_service_is_no_problem_if_you_say_so(tmp_path: Path) -> None:
    with running_service(tmp_path / "service", "[server]\nhypervisors = []") as service:
        config = tmp_path / "simplestack.toml"
        config.write_text(f"[server]\nbind = '127.0.0.1:{service.port}'\nhypervisors = []")
        results = {}
        for options in ((), ("--running",)):
            command = [sys.executable, "-m", "simplestack", "check-config", "--config", str(config), *options]
            results[options] = subprocess.run(command, capture_output=True, text=True, check=False)
    assert results[()].returncode == 1
    assert "is in use" in results[()].stderr
    assert (results["--running",].returncode, results["--running",].stderr) == (0, "")


_PRIVILEGED = """
import sys
from simplestack.server.bind_check import bind_problem
print(bind_problem("127.0.0.1:80"))
"""


def test_a_port_that_needs_privileges_is_reported() -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("this machine lets everybody listen on port 80")
    command = [sys.executable, "-c", _PRIVILEGED]
    if os.geteuid() == 0:
        without = "-net_bind_service"
        command = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}", *command]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == (
        "server.bind: this user may not listen on port 80: use a port from 1024, or give the service the "
        "capability CAP_NET_BIND_SERVICE\n"
    )


@pytest.mark.parametrize("variable", ["LISTEN_FDS", "GUNICORN_FD"])
def test_an_address_whose_socket_is_passed_to_the_service_is_not_tried(variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        assert "is in use" in str(bind_problem(bind, {}))
        assert bind_problem(bind, {variable: "3"}) is None
        assert bind_problem("fd://3", {}) is None


def test_trying_an_address_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "service.sock"
    assert bind_problem(f"unix:{path}", {}) is None
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as running:
        running.bind(str(path))
        assert bind_problem(f"unix:{path}", {}) is None
        assert path.is_socket()
    for bind in ("127.0.0.1:0", "[::1]:0", "localhost:0"):
        assert bind_problem(bind, {}) is None


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/" + "a" * 107, "the path of a Unix socket has 1 to 107 bytes"),
        ("", "the path of a Unix socket has 1 to 107 bytes"),
    ],
)
def test_the_path_of_a_unix_socket_has_a_limit(path: str, problem: str) -> None:
    assert bind_problem(f"unix:{path}", {}) == f"server.bind: {problem}"


@pytest.mark.parametrize(
    ("settings", "mode", "warning"),
    [
        (f"tokens = {{ ci = '{TOKEN_HASH}' }}", 0o644, "can read the hashes in "),
        (f"tokens = {{ ci = '{TOKEN_HASH}' }}", 0o640, ""),
        ("", 0o644, ""),
        ("", 0o646, "can change "),
    ],
)
def test_settings_that_others_should_not_read_or_change_are_a_warning(
    tmp_path: Path, settings: str, mode: int, warning: str
) -> None:
    config = tmp_path / "simplestack.toml"
    config.write_text(f"{SERVER}hypervisors = []\n{settings}")
    config.chmod(mode)
    command = [sys.executable, "-m", "simplestack", "check-config", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = f"warning: every user of this machine {warning}{config}: use `chmod 640`\n" if warning else ""
    assert (done.returncode, done.stderr) == (0, expected)
