"""Service plugins: what is wrong with one is its load failure, and nothing is served without it."""

import subprocess
from pathlib import Path

import pytest

from support.distributions import describe, install
from support.listing import GOOD, failures, plugins_command

GROUP = "simplestack.services"
WRAPPER = "@hookimpl(wrapper=True)\ndef operation_call():\n    return (yield)\nplugin = me\n"
#: Source and the whole reason.
BROKEN = {
    "unmarked-as-wrapper": (
        "@hookimpl\ndef operation_call(operation): yield\nplugin = me",
        "operation_call: must be marked with @hookimpl(wrapper=True)",
    ),
    "old-wrapper": (
        "@hookimpl(hookwrapper=True)\ndef operation_call(): yield\nplugin = me",
        "operation_call: must be marked with @hookimpl(wrapper=True)",
    ),
    "first": (
        "@hookimpl(wrapper=True, tryfirst=True)\ndef operation_call():\n    return (yield)\nplugin = me",
        "operation_call: must not be marked tryfirst: the audit is outermost",
    ),
    "no-yield": (
        "@hookimpl(wrapper=True)\ndef operation_call(operation): return None\nplugin = me",
        "operation_call: has no yield; expected a generator function, which ends with `return (yield)`",
    ),
    "coroutine": (
        "@hookimpl(wrapper=True)\nasync def operation_call(): yield\nplugin = me",
        "operation_call: is a coroutine function; hooks are called synchronously",
    ),
    "argument": (
        "@hookimpl(wrapper=True)\ndef operation_call(operatoin):\n    return (yield)\nplugin = me",
        "operation_call: unknown argument 'operatoin'; did you mean 'operation'?",
    ),
    "nothing": (
        "plugin = me",
        "it has no function named operation_call that is marked with @hookimpl(wrapper=True)",
    ),
    "other-hook": (
        f"{WRAPPER}@hookimpl\ndef guest_list(session): ...",
        "guest_list: unknown hook 'guest_list'; a service plugin has 'operation_call' alone",
    ),
    "misspelt": (
        f"{WRAPPER}@hookimpl(wrapper=True)\ndef operation_cal():\n    return (yield)",
        "operation_cal: unknown hook 'operation_cal'; did you mean 'operation_call'?",
    ),
    "twice": (
        f"{WRAPPER}@hookimpl(wrapper=True, specname='operation_call')\ndef other():\n    return (yield)",
        "operation_call and other all implement operation_call; remove all but one",
    ),
    "bound-method": (
        (
            f"{WRAPPER}class Policy:\n    @hookimpl(specname='operation_call')\n"
            "    def call(self, operation): return 'answers in place of the hypervisor'\n"
            "check = Policy().call"
        ),
        "check: is marked with @hookimpl, but is method Policy.call; expected a plain function",
    ),
    "marked-object": (
        f"{WRAPPER}import functools\nother = hookimpl(functools.partial(print))",
        "other: is marked with @hookimpl, but is an object of class partial; expected a plain function",
    ),
    "number": (
        "plugin = 42",
        "plugin_number:plugin is 42; expected a module with a wrapper of operation_call",
    ),
    "exits": (
        "sys.exit(0)",
        "importing plugin_exits:plugin failed: SystemExit: 0 (plugin_exits.py, line 5, in <module>)",
    ),
}


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the command prints with all of them installed."""
    folder = tmp_path_factory.mktemp("broken")
    install(folder, "good", GOOD)
    install(folder, "policy", WRAPPER, GROUP)
    describe(folder, "simplestack-twin", "twin", "plugin_policy", GROUP)
    for name, (source, _) in BROKEN.items():
        install(folder, name, source, GROUP)
    return plugins_command(folder)


@pytest.mark.parametrize("name", BROKEN)
def test_a_service_plugin_that_is_wrong_is_named_with_the_reason(
    listing: subprocess.CompletedProcess[str], name: str
) -> None:
    assert failures(listing.stderr)[name] == f"(simplestack-{name} 1.0): {BROKEN[name][1]}"


def test_a_helper_may_have_the_name_of_a_hypervisors_hook(plugins: Path) -> None:
    install(plugins, "good", GOOD)
    install(plugins, "policy", f"{WRAPPER}def guest_list(): ...", GROUP)
    assert plugins_command(plugins).returncode == 0


def test_the_others_are_used_and_one_module_once(listing: subprocess.CompletedProcess[str]) -> None:
    assert listing.returncode == 1
    assert "good       simplestack-good 1.0  Good" in listing.stdout
    assert "policy     simplestack-policy 1.0  service" in listing.stdout
    found = failures(listing.stderr)
    assert set(found) == {*BROKEN, "twin"}
    assert found["twin"].endswith("its entry point names the same module as that of 'policy'; remove one")
