"""Loading plugins: what is wrong is said with the plugin's name and what to do; the others answer."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from support.distributions import describe, install
from support.listing import GOOD, good, plugins_command


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


def test_nothing_is_served_without_a_policy_that_is_installed(plugins: Path, tmp_path: Path) -> None:
    install(plugins, "odd", "raise RuntimeError('no')", "simplestack.services")
    config = tmp_path / "simplestack.toml"
    config.write_text("")
    program = "from simplestack.server import create_app; create_app()"
    for command in (["-m", "simplestack", "serve", "--bind", "127.0.0.1:0"], ["-c", program]):
        result = subprocess.run(
            [sys.executable, *command],
            env={"PYTHONPATH": str(plugins), "SIMPLESTACK_CONFIG": str(config)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 1
        assert (
            "service plugin 'odd' (simplestack-odd 1.0): importing plugin_odd:plugin failed" in result.stderr
        )
    config.write_text("[server]\nservices = []")
    subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(plugins), "SIMPLESTACK_CONFIG": str(config)},
        check=True,
    )
