"""Settings of service plugins, and which service plugins are in use."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.distributions import install
from support.listing import failures, plugins_command
from support.service import running_service

GROUP = "simplestack.services"
SOURCE = """
class Settings(ServiceSettings, frozen=True, kw_only=True):
    protected: list[str] = []

class Policy:
    def __init__(self, settings):
        self._protected = settings.protected

    @hookimpl(wrapper=True)
    def operation_call(self, operation, arguments):
        if operation == "guest_delete" and arguments["guest_id"] in self._protected:
            raise PermissionDenied("NAME protects it")
        return (yield)

def warnings(settings): return [f"protects {len(settings.protected)} guests"]

plugin = ServicePlugin(name="NAME", title="Protection", settings=Settings, make=Policy, warnings=warnings,
                       opt_in=OPT_IN)
"""


def install_policy(folder: Path, name: str, *, opt_in: bool = False) -> None:
    install(folder, name, SOURCE.replace("NAME", name).replace("OPT_IN", str(opt_in)), GROUP)


def check_config(folder: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    config = folder / "simplestack.toml"
    config.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "simplestack", "check-config", "--config", str(config)],
        env={
            "PYTHONPATH": str(folder),
            "SIMPLESTACK_SERVER__BIND": "127.0.0.1:0",
            "SIMPLESTACK_SERVER__HYPERVISORS": "[]",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_service_plugin_has_its_own_settings(tmp_path: Path, plugins: Path) -> None:
    for name in ("first", "second"):
        install_policy(plugins, name)
    config = "[services.first]\nprotected = ['1']\n[services.second]\nprotected = ['2', '3']\n"
    with running_service(tmp_path, config, plugins=plugins) as service:
        for guest, message in (
            ("1", "first protects it"),
            ("2", "second protects it"),
            ("3", "second protects it"),
        ):
            answer = service.delete(f"/mock/demo/guests/{guest}")
            assert (answer.status, answer.json["message"]) == (403, message)
        assert service.delete("/mock/demo/guests/4").error == "EntityNotFound"
        assert "service first: protects 1 guests" in service.log
        assert ", services: first, second\n" in service.log


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[services.policy]\nprotectd = []",
            "services.policy.protectd: there is no such setting; did you mean 'protected'?",
        ),
        (
            "[services.policy]\nprotected = 1",
            "services.policy.protected: expected a list, got a whole number",
        ),
        ("[services]\npolicy = 1", "services.policy: expected a table of settings, got 1"),
        ("[services.polcy]", "services: no plugin 'polcy' is installed; installed are: "),
        (
            "[service.policy]",
            (
                "service: there is no such setting; the tables are [server], [hypervisors.NAME] and "
                "[services.NAME]"
            ),
        ),
    ],
)
def test_a_wrong_setting_is_named(plugins: Path, text: str, message: str) -> None:
    install_policy(plugins, "policy")
    result = check_config(plugins, text)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: {message}")


def test_settings_come_from_the_environment_too_and_warnings_are_shown(plugins: Path) -> None:
    install_policy(plugins, "policy")
    result = check_config(plugins, "", SIMPLESTACK_SERVICES__POLICY__PROTECTED="['a', 'b']")
    assert (result.returncode, result.stderr) == (0, "warning: service policy: protects 2 guests\n")
    assert result.stdout.endswith(", services: policy\n")


def test_a_service_plugin_that_the_settings_leave_out_gets_no_settings(plugins: Path) -> None:
    install_policy(plugins, "policy")
    result = check_config(plugins, "[server]\nservices = []\n[services.policy]\nprotected = 1")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith(", services: none\n")


def test_a_service_plugin_may_be_off_unless_it_is_named(plugins: Path) -> None:
    install_policy(plugins, "strict", opt_in=True)
    install_policy(plugins, "usual")
    listed = plugins_command(plugins)
    assert (
        "strict     simplestack-strict 1.0  Protection (service, off: add 'strict' to server.services)\n"
        in listed.stdout
    )
    assert "usual      simplestack-usual 1.0  Protection (service)\n" in listed.stdout
    result = check_config(plugins, "[services.strict]\nprotected = 1")
    assert result.stdout.endswith(", services: usual\n")
    assert "warning: [services.strict] has no effect: add 'strict' to server.services\n" in result.stderr
    result = check_config(plugins, "[server]\nservices = ['strict']\n[services.strict]\nprotected = ['1']")
    assert result.stdout.endswith(", services: strict\n")
    assert result.stderr == "warning: service strict: protects 1 guests\n"


def test_one_that_is_off_and_cannot_be_loaded_is_a_failure(plugins: Path) -> None:
    install(plugins, "odd", "raise RuntimeError('no')", GROUP)
    assert "odd" in failures(plugins_command(plugins).stderr)
