"""A plugin made for another core is named with both versions and the way out, and is not imported."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from support.distributions import install
from support.service import running_service

PLUGIN = """
@hookimpl
def guest_list(session):
    return []
plugin = HypervisorPlugin(name="odd", title="Odd", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""
NOT_IMPORTABLE = "raise RuntimeError('this was imported')"
CORE = importlib.metadata.version("simplestack-core")
REMEDY = "install versions of simplestack-core and simplestack-odd that fit together"


def listed(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simplestack", "plugins"]
    environment = {"PYTHONPATH": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "requirement",
    [
        "simplestack-core>=3,<4",
        "simplestack-core<2.0.0.dev0",
        "Simplestack_Core (<1)",
        "simplestack.core[testing]==9",
    ],
)
def test_a_plugin_for_another_core_is_refused_and_not_imported(plugins: Path, requirement: str) -> None:
    install(plugins, "odd", NOT_IMPORTABLE, requires=["msgspec>=0.20", requirement])
    result = listed(plugins)
    assert result.returncode == 1
    reason = f"it requires {requirement}, and {CORE} is installed; {REMEDY}"
    assert f"not loaded: plugin 'odd' (simplestack-odd 1.0): {reason}\n" in result.stderr
    assert "mock       simplestack-core" in result.stdout


@pytest.mark.parametrize(
    "requirements",
    [
        [],
        ["simplestack-core"],
        [f"simplestack-core>={CORE},<3"],
        ["simplestack-core-addition>=99", "simplestack-corellium>=99"],
        ['simplestack-core>=99; extra == "future"', 'simplestack-core>=99; sys_platform == "win32"'],
    ],
)
def test_a_plugin_that_fits_or_does_not_say_is_loaded(plugins: Path, requirements: list[str]) -> None:
    install(plugins, "odd", PLUGIN, requires=requirements)
    result = listed(plugins)
    assert "odd        simplestack-odd 1.0  Odd" in result.stdout, result.stderr


def test_a_requirement_on_core_that_cannot_be_read_is_quoted(plugins: Path) -> None:
    install(plugins, "odd", NOT_IMPORTABLE, requires=["simplestack-core >= two"])
    assert "its metadata requires 'simplestack-core >= two', which cannot be read" in listed(plugins).stderr


def test_a_service_plugin_for_another_core_keeps_the_service_from_starting(
    plugins: Path, tmp_path: Path
) -> None:
    install(plugins, "odd", NOT_IMPORTABLE, "simplestack.services", requires=["simplestack-core>=3"])
    command = [sys.executable, "-m", "simplestack", "serve", "--bind", "127.0.0.1:0"]
    stopped = subprocess.run(
        command, env={"PYTHONPATH": str(plugins)}, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert stopped.returncode == 1
    assert f"it requires simplestack-core>=3, and {CORE} is installed" in stopped.stderr


def test_clients_are_told_what_to_do_and_the_log_has_the_versions(plugins: Path, tmp_path: Path) -> None:
    install(plugins, "odd", NOT_IMPORTABLE, requires=["simplestack-core>=3"])
    install(plugins, "broken", NOT_IMPORTABLE)
    with running_service(tmp_path / "service", plugins=plugins) as service:
        answer = service.get("/odd/host/guests")
        assert (answer.status, answer.error) == (404, "HypervisorNotFound")
        assert f"'odd' is installed but could not be loaded: {REMEDY}; there are: " in answer.json["message"]
        assert CORE not in answer.json["message"]
        assert f"plugin 'odd' (simplestack-odd 1.0): it requires simplestack-core>=3, and {CORE} is" in (
            service.log
        )
        broken = service.get("/broken/host/guests").json["message"]
        assert "could not be loaded: `simplestack plugins`, run where the service runs, says why" in broken
        assert "this was imported" not in broken
        assert service.get("/mock/host/guests").status == 200
