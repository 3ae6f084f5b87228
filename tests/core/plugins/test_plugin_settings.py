"""What a plugin makes of its settings: its own mistakes are its load failures, the operator's are errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.distributions import install
from support.listing import GOOD, failures, plugins_command

SOURCE = """
@hookimpl
def guest_list(session):
    return []

class Settings(HypervisorSettings, frozen=True, kw_only=True):
    region: str = ""
{body}

def warnings(settings): return []
{functions}
plugin = HypervisorPlugin(name="{name}", title="Own", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=Settings, warnings=warnings)
"""


def source(name: str, body: str = "", functions: str = "") -> str:
    return SOURCE.format(name=name, body=body, functions=functions)


CHECKED = "    def __post_init__(self):\n        {}"
#: What is appended to the settings, the functions, and the whole reason.
BROKEN = {
    "warnings-raise": (
        "",
        "def warnings(settings): raise RuntimeError('x')",
        "warnings(settings) failed: RuntimeError: x (plugin_warnings_raise.py, line 15, in warnings)",
    ),
    "warnings-exit": (
        "",
        "def warnings(settings): sys.exit('enough')",
        "warnings(settings) failed: SystemExit: enough (plugin_warnings_exit.py, line 15, in warnings)",
    ),
    "warnings-hang": (
        "",
        "def warnings(settings): time.sleep(3600)",
        (
            "warnings(settings) did not end within 2 s "
            "(stopped at plugin_warnings_hang.py, line 15, in warnings)"
        ),
    ),
    "warnings-text": (
        "",
        "def warnings(settings): return 'insecure'",
        "warnings(settings) returned 'insecure'; expected a list of str",
    ),
    "warnings-none": (
        "",
        "def warnings(settings): return None",
        "warnings(settings) returned None; expected a list of str",
    ),
    "warnings-odd": (
        "",
        "def warnings(settings): return [1]",
        "warnings(settings) returned [1]; expected a list of str",
    ),
    "check-breaks": (
        CHECKED.format("raise RuntimeError('x')"),
        "",
        "RuntimeError: x (plugin_check_breaks.py, line 13, in __post_init__)",
    ),
    "check-rejects": (
        CHECKED.format("raise ValueError('Give a region')"),
        "",
        (
            "it cannot be used with its default settings: hypervisors.check-rejects: give a region. "
            "Set [hypervisors.check-rejects]"
        ),
    ),
    "required": (
        "    site: str",
        "",
        (
            "it cannot be used with its default settings: hypervisors.required: the setting "
            "`site` is missing. Set [hypervisors.required]"
        ),
    ),
}


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the command prints with all of them installed."""
    folder = tmp_path_factory.mktemp("broken")
    install(folder, "good", GOOD)
    for name, (body, functions, _) in BROKEN.items():
        install(folder, name, source(name, body, functions))
    config = folder / "simplestack.toml"
    config.write_text("[server]\nplugin_timeout_seconds = 2")
    return plugins_command(folder, "--config", str(config))


@pytest.mark.parametrize("name", BROKEN)
def test_a_plugin_that_fails_with_its_default_settings_is_named_with_the_reason(
    listing: subprocess.CompletedProcess[str], name: str
) -> None:
    assert BROKEN[name][2] in failures(listing.stderr)[name]


def test_the_others_are_used(listing: subprocess.CompletedProcess[str]) -> None:
    assert listing.returncode == 1
    assert "good       simplestack-good 1.0  Good" in listing.stdout
    assert set(failures(listing.stderr)) == set(BROKEN)


def configured(plugins: Path, text: str) -> subprocess.CompletedProcess[str]:
    config = plugins / "simplestack.toml"
    config.write_text(text)
    return plugins_command(plugins, "--config", str(config))


@pytest.mark.parametrize(
    ("check", "settings", "message"),
    [
        ("pass", "region = 1", "hypervisors.own.region: expected text, got a whole number"),
        ("raise ValueError('No such region')", "region = 'x'", "hypervisors.own: no such region"),
        ("raise ValueError", "region = 'x'", "hypervisors.own: the plugin rejects these values"),
    ],
)
def test_a_value_that_the_operator_gave_is_the_operators_error(
    plugins: Path, check: str, settings: str, message: str
) -> None:
    install(plugins, "own", source("own", CHECKED.format(f"if self.region: {check}")))
    result = configured(plugins, f"[hypervisors.own]\n{settings}")
    assert (result.returncode, result.stderr) == (1, f"Error: {message}\n")


def test_a_required_setting_that_is_given_makes_the_plugin_answer(plugins: Path) -> None:
    install(plugins, "own", source("own", "    site: str"))
    result = configured(plugins, "[hypervisors.own]\nsite = 'here'")
    assert (result.returncode, result.stderr) == (0, "")
    assert "own        simplestack-own 1.0  Own" in result.stdout


def test_a_check_of_settings_that_breaks_is_the_plugins_failure_whatever_was_given(plugins: Path) -> None:
    install(plugins, "own", source("own", CHECKED.format("if self.region: sys.exit(self.region)")))
    result = configured(plugins, "[hypervisors.own]\nregion = 'x'")
    assert result.returncode == 1
    assert failures(result.stderr)["own"].startswith(
        "(simplestack-own 1.0): making Settings failed: SystemExit: x (plugin_own.py, line 13, in "
    )
    assert "mock       simplestack-core" in result.stdout


def test_warnings_are_shown_for_the_general_settings_and_for_each_host_of_its_own(plugins: Path) -> None:
    install(plugins, "own", source("own", functions="def warnings(settings): return [settings.region]"))
    config = plugins / "simplestack.toml"
    config.write_text(
        "[server]\nbind = '127.0.0.1:0'\nhypervisors = ['own']\n[hypervisors.own]\nregion = 'north'\n"
        "[hypervisors.own.hosts.pole]\nregion = 'south'\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "simplestack", "check-config", "--config", str(config)],
        env={"PYTHONPATH": str(plugins)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == "warning: own: north\nwarning: own at pole: south\n"
