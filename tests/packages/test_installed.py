"""The distributions as users get them: from wheels, alone and together, on each Python."""

from itertools import chain, combinations
from pathlib import Path

import pytest

from packages.conftest import CORE, PLUGINS, MakeEnvironment
from packages.interpreters import Interpreter
from support.service import running_service

#: Core alone, with each plugin, with all of them.
SELECTIONS = list(
    dict.fromkeys(
        chain(combinations(PLUGINS, 0), combinations(PLUGINS, 1), combinations(PLUGINS, len(PLUGINS)))
    )
)
selections = pytest.mark.parametrize(
    "plugins",
    SELECTIONS,
    ids=["-".join(["core", *(name.removeprefix("simplestack-") for name in names)]) for names in SELECTIONS],
)


@selections
def test_what_is_installed_fits_together_and_is_listed(
    interpreter: Interpreter, plugins: tuple[str, ...], environment_with: MakeEnvironment
) -> None:
    environment = environment_with(interpreter, CORE, *plugins)
    environment.check()
    lines = environment.simplestack("plugins").stdout.splitlines()
    listed = {line.split()[0]: line for line in lines[: lines.index("")]}
    assert f" {CORE} 2." in listed["mock"]
    for distribution in PLUGINS:
        name = distribution.removeprefix("simplestack-")
        if distribution in plugins:
            assert f" {distribution} 2." in listed[name]
        else:
            advice = f"`{environment.python} -m pip install ./{distribution}` adds it"
            assert listed[name].endswith(f"not installed; in a clone of Simplestack, {advice}")


@selections
def test_the_service_answers_and_stops_when_asked_to(
    interpreter: Interpreter, plugins: tuple[str, ...], environment_with: MakeEnvironment, tmp_path: Path
) -> None:
    environment = environment_with(interpreter, CORE, *plugins)
    with running_service(tmp_path, python=environment.python) as service:
        assert service.get("/healthz").json["status"] == "ok"
        assert service.get("/mock/demo/guests").json
        names = {name.removeprefix("simplestack-") for name in plugins}
        assert service.get("/").json["hypervisors"].keys() == {"mock", *names}
        for distribution in PLUGINS:
            name = distribution.removeprefix("simplestack-")
            answer = service.get(f"/{name}" if name in names else f"/{name}/localhost/guests")
            if name in names:
                assert (answer.status, answer.json["distribution"]) == (200, distribution)
            else:
                assert (answer.status, answer.error) == (404, "HypervisorNotFound")
                assert f"The plugin {distribution} is not installed" in answer.json["message"]
        assert service.stop() == 0
        assert "rror" not in service.log


def test_the_conformance_kit_names_the_extra_that_it_needs(
    interpreter: Interpreter, environment_with: MakeEnvironment
) -> None:
    environment = environment_with(interpreter, CORE)
    done = environment.simplestack("conformance", "mock", "--host", "kit", check=False)
    assert done.returncode == 1
    assert (
        f"needs pytest: install it with `{environment.python} -m pip install pytest urllib3`" in done.stderr
    )


def test_libvirt_can_be_loaded_from_the_environment_of_the_plugin(
    interpreter: Interpreter, environment_with: MakeEnvironment
) -> None:
    environment = environment_with(interpreter, CORE, "simplestack-kvm")
    done = environment.execute("from simplestack_kvm.sdk import libvirt; print(libvirt.getVersion())")
    assert int(done.stdout) >= 9_000_000, done.stderr


def test_pyvmomi_can_be_loaded_from_the_environment_of_the_plugin(
    interpreter: Interpreter, environment_with: MakeEnvironment
) -> None:
    environment = environment_with(interpreter, CORE, "simplestack-vmware")
    done = environment.execute("from simplestack_vmware.sdk import vim; print(vim.VirtualMachine.__name__)")
    assert done.stdout == "vim.VirtualMachine\n", done.stderr


def test_xenservers_sdk_can_be_loaded_from_the_environment_of_the_plugin(
    interpreter: Interpreter, environment_with: MakeEnvironment
) -> None:
    environment = environment_with(interpreter, CORE, "simplestack-xen")
    done = environment.execute("from simplestack_xen.sdk import XenAPI; print(XenAPI.Failure(['SR_FULL']))")
    assert done.stdout == "['SR_FULL']\n", done.stderr
