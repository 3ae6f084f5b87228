"""Distributions that do not fit together: pip refuses them; forced together, they say what is wrong."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from packages.conftest import CORE
from packages.environments import Environment, run
from support.service import running_service

PLUGIN = "simplestack-kvm"
CONSUMER = Path(__file__).parent / "consumer"
FITTING = "simplestack-core>=2.0.0.dev1,<3"


@pytest.fixture(params=["simplestack-core>=3,<4", "simplestack-core>=1,<2"], ids=["newer", "older"])
def unfit(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A third party's plugin that was made for a newer or an older core: what it requires, and its wheel."""
    sources = shutil.copytree(CONSUMER, tmp_path / "sources")
    project = sources / "pyproject.toml"
    text = project.read_text()
    assert FITTING in text
    project.write_text(text.replace(FITTING, request.param))
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir=.", "."]
    run(command, sources)
    (wheel,) = sources.glob("*.whl")
    return request.param, wheel


@pytest.mark.parametrize(
    "program",
    [
        "import simplestack_kvm",
        "import importlib.metadata as m; m.entry_points(group='simplestack.hypervisors')['kvm'].load()",
    ],
)
def test_a_plugin_without_core_says_what_to_install(bare_environment: Environment, program: str) -> None:
    bare_environment.install("--no-deps", PLUGIN)
    stopped = bare_environment.execute(program)
    assert stopped.returncode == 1
    assert stopped.stderr.splitlines()[-1] == (
        "ImportError: simplestack_kvm is a plugin of simplestack-core 2, which is not installed: "
        "install it from where this plugin comes from"
    )


def test_what_core_itself_lacks_is_not_blamed_on_core(bare_environment: Environment) -> None:
    bare_environment.install("--no-deps", CORE, PLUGIN)
    stopped = bare_environment.execute("import simplestack_kvm")
    assert stopped.stderr.splitlines()[-1].startswith("ModuleNotFoundError: No module named '")
    assert "simplestack" not in stopped.stderr.splitlines()[-1]


def test_pip_refuses_a_plugin_for_another_core(
    bare_environment: Environment, unfit: tuple[str, Path]
) -> None:
    bare_environment.install(CORE)
    refused = bare_environment.install(str(unfit[1]), check=False)
    assert refused.returncode == 1
    assert "No matching distribution found for simplestack-core" in refused.stderr


def test_a_plugin_that_was_forced_upon_another_core_is_named_with_both_versions(
    bare_environment: Environment, unfit: tuple[str, Path], tmp_path: Path
) -> None:
    requirement, wheel = unfit
    bare_environment.install(CORE, PLUGIN)
    bare_environment.install("--no-deps", str(wheel))
    listed = bare_environment.simplestack("plugins", check=False)
    assert listed.returncode == 1
    assert "kvm        simplestack-kvm 2." in listed.stdout
    reason = f"not loaded: plugin 'consumer' (simplestack-consumer 1.0.0): it requires {requirement}, and 2."
    assert reason.replace(requirement, _as_built(requirement)) in listed.stderr

    with running_service(tmp_path / "service", python=bare_environment.python) as service:
        assert reason.replace(requirement, _as_built(requirement)) in service.log
        answer = service.get("/consumer/host/guests")
        assert (answer.status, answer.error) == (404, "HypervisorNotFound")
        remedy = "install versions of simplestack-core and simplestack-consumer that fit together"
        assert remedy in answer.json["message"]
        assert service.get("/mock/demo/guests").status == 200


def test_an_installed_plugin_that_cannot_be_used_is_not_offered_for_installation_under_its_old_name(
    bare_environment: Environment, tmp_path: Path
) -> None:
    bare_environment.install(CORE)
    bare_environment.install("--no-deps", PLUGIN)
    (metadata,) = bare_environment.folder.glob("lib/*/site-packages/simplestack_kvm-*.dist-info/METADATA")
    required = re.compile(r"^Requires-Dist: simplestack-core.*$", re.MULTILINE)
    text, count = required.subn("Requires-Dist: simplestack-core>=3", metadata.read_text())
    assert count == 1
    metadata.write_text(text)
    with running_service(tmp_path / "service", python=bare_environment.python) as service:
        for word in ("kvm", "qemu"):
            message = service.get(f"/{word}/localhost/guests").json["message"]
            assert (
                f"the plugin for '{word}' is installed but could not be loaded: install versions of "
                in message
            )


def _as_built(requirement: str) -> str:
    """Return a requirement as it is written into metadata: with its bounds sorted."""
    name, bounds = requirement[: len(CORE)], requirement[len(CORE) :]
    return name + ",".join(sorted(bounds.split(",")))
