"""Loading plugins: what is wrong is said with the plugin's name and what to do; the others answer."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from support.distributions import describe, install
from support.listing import GOOD, good, plugins_command
from support.service import running_service, wait_for


def test_two_distributions_that_claim_one_name_are_both_refused(plugins: Path) -> None:
    install(plugins, "good", GOOD)
    describe(plugins, "simplestack-rogue", "good", "plugin_good:plugin")
    result = plugins_command(plugins)
    assert "simplestack-good 1.0 and simplestack-rogue 1.0 both bring a plugin of this name" in result.stderr
    assert "Good" not in result.stdout


def test_an_alias_that_belongs_to_another_plugin_is_refused(plugins: Path) -> None:
    source = good("zgood").replace("title", 'aliases=("mock",), title')
    install(plugins, "zgood", source)
    assert "its alias 'mock' belongs to plugin 'mock'" in plugins_command(plugins).stderr


def test_plugins_that_the_settings_leave_out_are_not_even_imported(plugins: Path, tmp_path: Path) -> None:
    install(plugins, "bad", "raise RuntimeError('imported')")
    config = tmp_path / "simplestack.toml"
    config.write_text("[server]\nhypervisors = ['mock']")
    result = plugins_command(plugins, "--config", str(config))
    assert (result.returncode, result.stderr) == (0, "")


def test_the_table_says_which_operations_each_plugin_implements(plugins: Path) -> None:
    install(plugins, "good", GOOD + "@hookimpl\ndef guest_start(session, guest_id): ...\n")
    lines = plugins_command(plugins).stdout.splitlines()
    header = next(line for line in lines if line.startswith("operation"))
    assert header.split() == [
        "operation",
        *sorted(["good", *entry_points(group="simplestack.hypervisors").names]),
    ]
    marks = {line.split()[0]: line.split()[1] for line in lines if line.count(" ") > 10 and line[0] != " "}
    assert (marks["guest_list"], marks["power_guest"], marks["guest_info"]) == ("yes", "partly", "-")
    assert "2/39" in lines[-1]


def run(plugins: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(plugins), "SIMPLESTACK_SERVER__BIND": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


CREATE_APP = ("-c", "from simplestack.server import create_app; create_app()")
SERVE = ("-m", "simplestack", "serve")
CHECK_CONFIG = ("-m", "simplestack", "check-config")


@pytest.mark.parametrize("command", [SERVE, CHECK_CONFIG, CREATE_APP])
def test_nothing_is_served_without_the_policies_and_every_failure_is_shown_once(
    plugins: Path, command: tuple[str, ...]
) -> None:
    for name in ("odd", "even"):
        install(plugins, name, "raise RuntimeError('no')", "simplestack.services")
        install(plugins, f"broken-{name}", "raise RuntimeError('no')")
    result = run(plugins, *command)
    assert result.returncode == 1
    for name in ("odd", "even"):
        failed = f"failed: RuntimeError: no (plugin_{name}.py, line 5, in <module>)\n"
        line = f"service plugin '{name}' (simplestack-{name} 1.0): importing plugin_{name}:plugin {failed}"
        assert result.stderr.count(line) == 1
        assert (
            result.stderr.count(f"not loaded: plugin 'broken-{name}' (simplestack-broken-{name} 1.0): ") == 1
        )
    assert "to leave one out, name the others in server.services" in result.stderr


def test_a_policy_that_the_settings_leave_out_is_not_needed(plugins: Path, tmp_path: Path) -> None:
    install(plugins, "odd", "raise RuntimeError('no')", "simplestack.services")
    config = tmp_path / "simplestack.toml"
    config.write_text("[server]\nservices = []")
    result = run(plugins, *CHECK_CONFIG, "--config", str(config))
    assert result.returncode == 0
    assert "odd" not in result.stderr


def test_check_config_shows_every_plugin_that_is_not_loaded_and_succeeds(
    plugins: Path,
) -> None:
    for name in ("odd", "even"):
        install(plugins, name, "raise RuntimeError('no')")
    result = run(plugins, *CHECK_CONFIG)
    assert result.returncode == 0
    for name in ("odd", "even"):
        assert result.stderr.count(f"warning: not loaded: plugin '{name}' (simplestack-{name} 1.0): ") == 1


def test_a_starting_service_logs_each_plugin_that_is_not_loaded_once(plugins: Path, tmp_path: Path) -> None:
    for name in ("odd", "even"):
        install(plugins, name, "raise RuntimeError('no')")
    config = "[server]\nworkers = 3"
    with running_service(tmp_path / "service", config, plugins=plugins) as service:
        wait_for(lambda: service.log.count("Booting worker") == 3, what="all workers")
        service.stop()
        for name in ("odd", "even"):
            assert service.log.count(f"not loaded: plugin '{name}' (simplestack-{name} 1.0): ") == 1
