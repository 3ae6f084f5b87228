"""Settings: an unknown or wrong key is an error that names it and says why."""

from pathlib import Path

import pytest

from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration, load_configuration
from simplestack.identity.accounts import hash_password
from simplestack.plugins.registry import load_registry
from simplestack_kvm.settings import KvmSettings


def load(tmp_path: Path, text: str, **environment: str) -> Configuration:
    path = tmp_path / "simplestack.toml"
    path.write_text(text)
    configuration = load_configuration(path, environment)
    load_registry(configuration)
    return configuration


def test_without_a_file_the_service_listens_on_loopback_and_every_plugin_answers() -> None:
    configuration = load_configuration(environment={})
    assert configuration.server.bind == "127.0.0.1:8081"
    registry = load_registry(configuration)
    assert "mock" in registry.hypervisors
    assert registry.settings["mock"].general.allowed_hosts is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\nbnid = 'x'", r"server.bnid: there is no such setting; did you mean 'bind'\?"),
        ("[server]\nthreads = '8'", r"server.threads: expected a whole number, got text"),
        ("[server]\nthreads = 0", r"server.threads: expected a whole number >= 2"),
        ("[server]\nlog_level = 'loud'", r"server.log_level: expected debug, info, warning or error$"),
        ("[server]\nlog_format = 'xml'", r"server.log_format: expected text or json$"),
        ("[server]\naudit_format = 'xml'", r"server.audit_format: expected text or json$"),
        ("[server]\ntrusted_proxies = ['nginx']", r"trusted_proxies: 'nginx' is not an address or a CIDR"),
        ("[server]\ntrusted_proxies = ['10.1.1.1/8']", r"is an address in a range: write '10.0.0.0/8'"),
        ("[sevrer]\n", r"sevrer: there is no such setting"),
        ("server = 1", r"server: expected a table"),
        ("hypervisors = 1", r"hypervisors: expected a table"),
        ("[hypervisors]\nmock = 1", r"hypervisors.mock: expected a table"),
        (
            "[server]\nhypervisors = ['hyperv']",
            r"server.hypervisors: no plugin 'hyperv'",
        ),
        ("[hypervisors.nope]\n", r"hypervisors: no plugin 'nope' is installed"),
        (
            "[hypervisors.mock]\nallowed_host = []",
            r"hypervisors.mock.allowed_host: .*did you mean 'allowed_hosts'",
        ),
        (
            "[hypervisors.mock]\nallowed_hosts = 'a'",
            r"hypervisors.mock.allowed_hosts: expected a list, got text",
        ),
        (
            "[hypervisors.mock.hosts.demo]\nrset = true",
            r'hypervisors.mock.hosts."demo".rset: there is no such',
        ),
        ("[hypervisors.mock.hosts.demo]\nallowed_hosts = []", r'hosts."demo".allowed_hosts: cannot be set'),
        ("[hypervisors.mock]\nallowed_hosts = ['10/99']", r"mock.allowed_hosts: '10/99' is not a name"),
        ("[server]\nservices = ['policy']", r"server.services: no plugin 'policy' is installed"),
        ("[server]\ncertificate = 'a.pem'", r"server.certificate and server.private_key: set both"),
        (
            "[server]\ntokens = {a = 'plain'}",
            r"server.tokens.a: not a hash from `simplestack service-token`",
        ),
        ("[server", r"is not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, text)


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "simplestack.toml"
    path.write_text("""
        [server]
        bind = "0.0.0.0"
        threads = "8"
        bnid = "x"
        tokens = { a = "plain", b = "plain" }
        certificate = "a.pem"
        [hypervisors]
        mock = 1
        [sevrer]
    """)
    with pytest.raises(SettingsError) as raised:
        load_configuration(path, {"SIMPLESTACK_TRACE_HOOKS": "yes", "SIMPLESTACK_SEVRER__X__Y": "1"})
    assert sorted(problem.partition(": ")[0] for problem in raised.value.problems) == [
        "SIMPLESTACK_TRACE_HOOKS",
        "hypervisors.mock",
        "server.bind",
        "server.bnid",
        "server.certificate and server.private_key",
        "server.threads",
        "server.tokens.a",
        "server.tokens.b",
        "sevrer",
    ]
    assert str(raised.value).splitlines() == list(raised.value.problems)


def test_all_that_is_wrong_in_the_settings_of_plugins_is_named_at_once(tmp_path: Path) -> None:
    text = """
        [server]
        hypervisors = ["kvm", "mock", "hyperv"]
        services = ["fault_injection"]
        [hypervisors.mock]
        allowed_hosts = ["10/99", "a/b"]
        max_calls_per_host = 0
        [hypervisors.mock.hosts.demo]
        max_calls_per_host = 0
        hosts = {}
        [hypervisors.kvm]
        transport = "pigeon"
        ssh_auth = "key"
        [services.fault_injection]
        rule = []
    """
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, text)
    assert sorted(problem.partition(": ")[0] for problem in raised.value.problems) == [
        "hypervisors.kvm.transport",
        "hypervisors.mock.allowed_hosts",
        "hypervisors.mock.allowed_hosts",
        'hypervisors.mock.hosts."demo".hosts',
        'hypervisors.mock.hosts."demo".max_calls_per_host',
        "hypervisors.mock.max_calls_per_host",
        "server.hypervisors",
        "services.fault_injection.rule",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*missing.toml: No such file"):
        load_configuration(tmp_path / "missing.toml", {})


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    path = tmp_path / "simplestack.toml"
    path.write_text("[server]\nthreads = 3\nworkers = 3\nkeep_alive_seconds = 3")
    environment = {"SIMPLESTACK_SERVER__THREADS": "4", "SIMPLESTACK_SERVER__WORKERS": "4"}
    server = load_configuration(path, environment, {"workers": 5}).server
    assert (server.keep_alive_seconds, server.threads, server.workers) == (3, 4, 5)


def test_the_environment_names_the_file_and_settings_of_plugins(tmp_path: Path) -> None:
    path = tmp_path / "simplestack.toml"
    path.write_text("[server]\nthreads = 3")
    environment = {
        "SIMPLESTACK_CONFIG": str(path),
        "SIMPLESTACK_HYPERVISORS__MOCK__ALLOWED_HOSTS": '["demo"]',
        "SIMPLESTACK_SERVER__LOG_LEVEL": "debug",
        "SIMPLESTACK_PORT_8081_TCP_ADDR": "10.0.0.1",
    }
    configuration = load_configuration(environment=environment)
    assert configuration.server.threads == 3
    assert configuration.server.log_level == "debug"
    assert load_registry(configuration).settings["mock"].general.allowed_hosts == ["demo"]


def test_an_unknown_key_in_the_environment_is_named() -> None:
    with pytest.raises(SettingsError, match=r"server.bnid: there is no such setting"):
        load_configuration(environment={"SIMPLESTACK_SERVER__BNID": "x"})


def test_hooks_are_traced_where_the_environment_or_the_file_says_so(tmp_path: Path) -> None:
    assert load(tmp_path, "").server.trace_hooks is False
    assert load(tmp_path, "[server]\ntrace_hooks = true").server.trace_hooks is True
    for value, is_on in (("1", True), ("0", False), ("", True)):
        configuration = load(tmp_path, "[server]\ntrace_hooks = true", SIMPLESTACK_TRACE_HOOKS=value)
        assert configuration.server.trace_hooks is is_on
    assert load(tmp_path, "", SIMPLESTACK_SERVER__TRACE_HOOKS="true").server.trace_hooks is True


def test_a_wrong_value_of_the_traces_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^SIMPLESTACK_TRACE_HOOKS: expected 1 or 0, got 'yes'$"):
        load(tmp_path, "", SIMPLESTACK_TRACE_HOOKS="yes")


def test_a_host_of_its_own_settings_has_the_general_ones_besides(tmp_path: Path) -> None:
    text = """
    [hypervisors.mock]
    call_timeout_seconds = 20
    [hypervisors.mock.hosts."DEMO"]
    idle_timeout_seconds = 7
    """
    registry = load_registry(load(tmp_path, text))
    mock = registry.hypervisors["mock"]
    own, _ = registry.settings_at(mock, "demo")
    other, _ = registry.settings_at(mock, "other")
    assert (own.call_timeout_seconds, own.idle_timeout_seconds) == (20, 7)
    assert (other.call_timeout_seconds, other.idle_timeout_seconds) == (20, 300)


@pytest.mark.parametrize(
    "bind", ["0.0.0.0:8081", "[::]:8081", "192.0.2.1:80", "host.example.com:80", ":8081"]
)
def test_beyond_loopback_the_hypervisors_and_their_hosts_must_be_given(tmp_path: Path, bind: str) -> None:
    with pytest.raises(SettingsError, match=r"server.hypervisors is missing"):
        load(tmp_path, f"[server]\nbind = '{bind}'")
    with pytest.raises(SettingsError, match=r"hypervisors.mock.allowed_hosts is missing"):
        load(tmp_path, f"[server]\nbind = '{bind}'\nhypervisors = ['mock']")
    text = f"[server]\nbind = '{bind}'\nhypervisors = ['mock']\n[hypervisors.mock]\nallowed_hosts = ['*']"
    assert load(tmp_path, text).exposed


@pytest.mark.parametrize("bind", ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.9.9:1", "unix:/run/s.sock"])
def test_loopback_needs_neither(tmp_path: Path, bind: str) -> None:
    assert not load(tmp_path, f"[server]\nbind = '{bind}'").exposed


def test_mock_answers_beyond_loopback_only_when_named(tmp_path: Path) -> None:
    configuration = load(tmp_path, "[server]\nbind = '0.0.0.0:1'\nhypervisors = []")
    assert load_registry(configuration).hypervisors == {}


def test_a_hypervisor_is_configured_by_its_name_and_not_by_an_alias(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"hypervisors: no plugin 'qemu' is installed; installed are: "):
        load(tmp_path, "[hypervisors.qemu]")


def test_every_kind_of_setting_has_its_place(tmp_path: Path) -> None:
    text = f"""
    [server]
    bind = "127.0.0.1:8081"
    hypervisors = ["kvm", "mock"]
    [hypervisors.kvm]
    allowed_hosts = ["localhost", "10.0.0.0/8", "*.hv.example.com"]
    transport = "ssh"
    [hypervisors.kvm.hosts.localhost]
    transport = "unix"
    [hypervisors.kvm.accounts]
    admin = "{hash_password("secret")}"
    """
    registry = load_registry(load(tmp_path, text))
    kvm = registry.hypervisors["kvm"]
    assert kvm is registry.hypervisors["qemu"]
    for host, transport in (("localhost", "unix"), ("10.0.0.1", "ssh")):
        settings, _ = registry.settings_at(kvm, host)
        assert isinstance(settings, KvmSettings)
        assert (settings.transport, list(settings.accounts)) == (transport, ["admin"])
