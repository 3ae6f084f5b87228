"""Service plugins: what is wrong with one is its load failure, and nothing is served without it."""

import subprocess
from pathlib import Path

import pytest

from support.distributions import describe, install
from support.listing import GOOD, failures, plugins_command

GROUP = "simplestack.services"
DESCRIPTION = 'plugin = ServicePlugin(name="{name}", title="Service", make=lambda settings: me)\n'
WRAPPER = "@hookimpl(wrapper=True)\ndef operation_call():\n    return (yield)\n"
GOOD_SERVICE = WRAPPER + DESCRIPTION
#: What is in the module that `make` returns, and the whole reason.
BROKEN_HOOKS = {
    "unmarked-as-wrapper": (
        "@hookimpl\ndef operation_call(operation): yield\n",
        "operation_call: must be marked with @hookimpl(wrapper=True)",
    ),
    "old-wrapper": (
        "@hookimpl(hookwrapper=True)\ndef operation_call(): yield\n",
        "operation_call: must be marked with @hookimpl(wrapper=True)",
    ),
    "first": (
        "@hookimpl(wrapper=True, tryfirst=True)\ndef operation_call():\n    return (yield)\n",
        "operation_call: must not be marked tryfirst: the audit is outermost",
    ),
    "no-yield": (
        "@hookimpl(wrapper=True)\ndef operation_call(operation): return None\n",
        "operation_call: has no yield; expected a generator function, which ends with `return (yield)`",
    ),
    "coroutine": (
        "@hookimpl(wrapper=True)\nasync def operation_call(): yield\n",
        "operation_call: is a coroutine function; hooks are called synchronously",
    ),
    "argument": (
        "@hookimpl(wrapper=True)\ndef operation_call(operatoin):\n    return (yield)\n",
        "operation_call: unknown argument 'operatoin'; did you mean 'operation'?",
    ),
    "default": (
        "@hookimpl(wrapper=True)\ndef operation_call(operation=''):\n    return (yield)\n",
        "operation_call: parameter 'operation' must have no default: core always passes it",
    ),
    "nothing": (
        "def operation_call(): yield\n",
        (
            "make(settings) returned module plugin_nothing, which has no hooks; expected a function "
            "operation_call marked with @hookimpl(wrapper=True), or service_routes marked with @hookimpl"
        ),
    ),
    "other-hook": (
        f"{WRAPPER}@hookimpl\ndef guest_list(session): ...\n",
        "guest_list: unknown hook 'guest_list'; a service plugin has operation_call and service_routes",
    ),
    "misspelt": (
        f"{WRAPPER}@hookimpl(wrapper=True)\ndef operation_cal():\n    return (yield)\n",
        "operation_cal: unknown hook 'operation_cal'; did you mean 'operation_call'?",
    ),
    "twice": (
        f"{WRAPPER}@hookimpl(wrapper=True, specname='operation_call')\ndef other():\n    return (yield)\n",
        "operation_call and other both implement operation_call; remove one",
    ),
    "routes-wrapper": (
        "@hookimpl(wrapper=True)\ndef service_routes(app):\n    return (yield)\n",
        "service_routes: is a wrapper; mark it with @hookimpl alone",
    ),
    "routes-generator": (
        "@hookimpl\ndef service_routes(app): yield\n",
        "service_routes: is a generator function; core calls it once: use return",
    ),
    "routes-coroutine": (
        "@hookimpl\nasync def service_routes(app): ...\n",
        "service_routes: is a coroutine function; hooks are called synchronously",
    ),
    "routes-argument": (
        "@hookimpl\ndef service_routes(ap): ...\n",
        "service_routes: unknown argument 'ap'; did you mean 'app'?",
    ),
    "marked-object": (
        f"{WRAPPER}import functools\nother = hookimpl(functools.partial(print))\n",
        "other: is marked with @hookimpl, but is an object of class partial; expected a function or a method",
    ),
}
OBJECT = """
class Policy:
    def __init__(self, settings): ...
    {body}
plugin = ServicePlugin(name="{name}", title="Service", make=Policy)
"""
METHOD = "@hookimpl(wrapper=True)\n    def operation_call({}):\n        return (yield)\n"
STATIC = METHOD.format("").replace("    def", "    @staticmethod\n    def")
#: The body of a class, and the whole reason.
BROKEN_OBJECTS = {
    "no-method": (
        "def operation_call(self): yield",
        (
            "make(settings) returned an object of class Policy, which has no hooks; expected a method "
            "operation_call marked with @hookimpl(wrapper=True), or service_routes marked with @hookimpl"
        ),
    ),
    "method-argument": (
        METHOD.format("self, contxt"),
        "operation_call: unknown argument 'contxt'; did you mean 'context'?",
    ),
    "dir": (
        METHOD.format("self") + "    def __dir__(self): sys.exit(4)\n",
        "checking what make(settings) returned failed: SystemExit: 4 (plugin_dir.py, line 11, in __dir__)",
    ),
    "static": (
        f"@hookimpl\n    def service_routes(self, app): ...\n    {STATIC}",
        "operation_call: @hookimpl is above @staticmethod; write it below",
    ),
}
#: What is changed in the description, and the whole reason.
BROKEN_DESCRIPTIONS = {
    "name": ("name='other'", "name is 'other'; expected 'name', the name of its entry point"),
    "Upper": (
        "",
        (
            "'Upper' cannot be a service plugin's name; expected up to 63 lower-case letters, digits, '_' "
            "and '-', a letter first"
        ),
    ),
    "title": ("title=''", "title is ''; expected a line of text, such as title='KVM (libvirt)'"),
    "make": ("make=me", "make is module plugin_make; expected a function that core calls as make(settings)"),
    "make-arity": (
        "make=lambda: me",
        "make takes (); core calls make(settings): too many positional arguments",
    ),
    "make-raises": (
        "make=lambda settings: 1 / 0",
        (
            "make(settings) failed: ZeroDivisionError: division by zero "
            "(plugin_make_raises.py, line 9, in <lambda>)"
        ),
    ),
    "make-exits": (
        "make=lambda settings: sys.exit(5)",
        "make(settings) failed: SystemExit: 5 (plugin_make_exits.py, line 9, in <lambda>)",
    ),
    "make-hangs": (
        "make=lambda settings: time.sleep(3600)",
        "make(settings) did not end within 2 s (stopped at plugin_make_hangs.py, line 9, in <lambda>)",
    ),
    "make-nothing": (
        "make=lambda settings: None",
        (
            "make(settings) returned None, which has no hooks; expected a method operation_call marked with "
            "@hookimpl(wrapper=True), or service_routes marked with @hookimpl"
        ),
    ),
    "make-class": (
        "make=lambda settings: HypervisorPlugin",
        "make(settings) returned class HypervisorPlugin; expected an object of it",
    ),
    "settings": (
        "settings=HypervisorSettings",
        "settings is class HypervisorSettings; expected a subclass of simplestack.ServiceSettings",
    ),
    "settings-required": (
        "settings=Required",
        (
            "it cannot be used with its default settings: services.settings-required: the setting `site` "
            "is missing. Set [services.settings-required]"
        ),
    ),
    "settings-broken": (
        "settings=Broken",
        ("checking it failed: SystemExit: no (plugin_settings_broken.py, line 6, in __post_init__)"),
    ),
    "opt-in": ("opt_in=1", "opt_in is 1; expected True or False"),
    "warnings": (
        "warnings=lambda settings: 'insecure'",
        "warnings(settings) returned 'insecure'; expected a list of str",
    ),
    "warnings-type": (
        "warnings=[]",
        "warnings is []; expected a function that core calls as warnings(settings)",
    ),
    "several": (
        "title=1, opt_in=2",
        (
            "title is 1; expected a line of text, such as title='KVM (libvirt)'; "
            "opt_in is 2; expected True or False"
        ),
    ),
}
DESCRIBED = """{before}{wrapper}
plugin = ServicePlugin(**(dict(name="{name}", title="Service", make=lambda settings: me) | dict({change})))
"""
BEFORE = {
    "settings-required": "class Required(ServiceSettings, frozen=True, kw_only=True):\n    site: str\n",
    "settings-broken": (
        "class Broken(ServiceSettings, frozen=True, kw_only=True):\n"
        "    def __post_init__(self): sys.exit('no')\n"
    ),
}
#: The whole source, and the whole reason.
BROKEN_MODULES = {
    "number": ("plugin = 42", "plugin_number:plugin is 42; expected a simplestack.ServicePlugin"),
    "bare": (
        f"{WRAPPER}plugin = me",
        (
            "plugin_bare:plugin is module plugin_bare; expected a simplestack.ServicePlugin: write plugin = "
            "ServicePlugin(name='bare', title=..., make=...) in it, where make(settings) returns the object "
            "that has the hooks, and change the entry point to 'plugin_bare:plugin'"
        ),
    ),
    "exits": (
        "sys.exit(0)",
        "importing plugin_exits:plugin failed: SystemExit: 0 (plugin_exits.py, line 5, in <module>)",
    ),
}


def sources() -> dict[str, tuple[str, str]]:
    """Return source and reason of each."""
    found = {
        name: (hooks + DESCRIPTION.format(name=name), reason)
        for name, (hooks, reason) in BROKEN_HOOKS.items()
    }
    for name, (body, reason) in BROKEN_OBJECTS.items():
        found[name] = OBJECT.format(name=name, body=body), reason
    for name, (change, reason) in BROKEN_DESCRIPTIONS.items():
        before = BEFORE.get(name, "")
        found[name] = DESCRIBED.format(name=name, change=change, before=before, wrapper=WRAPPER), reason
    return found | BROKEN_MODULES


BROKEN = sources()


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the command prints with all of them installed."""
    folder = tmp_path_factory.mktemp("broken")
    install(folder, "good", GOOD)
    install(folder, "policy", GOOD_SERVICE.format(name="policy"), GROUP)
    describe(folder, "simplestack-twin", "twin", "plugin_policy:plugin", GROUP)
    for name, (source, _) in BROKEN.items():
        install(folder, name, source, GROUP)
    config = folder / "simplestack.toml"
    config.write_text("[server]\nplugin_timeout_seconds = 2")
    return plugins_command(folder, "--config", str(config))


@pytest.mark.parametrize("name", BROKEN)
def test_a_service_plugin_that_is_wrong_is_named_with_the_reason(
    listing: subprocess.CompletedProcess[str], name: str
) -> None:
    assert failures(listing.stderr)[name] == f"(simplestack-{name} 1.0): {BROKEN[name][1]}"


def test_a_helper_may_have_the_name_of_a_hypervisors_hook(plugins: Path) -> None:
    install(plugins, "good", GOOD)
    install(plugins, "policy", f"{GOOD_SERVICE.format(name='policy')}def guest_list(): ...", GROUP)
    assert plugins_command(plugins).returncode == 0


def test_properties_are_left_alone_until_the_plugin_is_called(plugins: Path) -> None:
    lazy = "    @property\n    def connection(self): sys.exit(4)\n"
    for name, decorator in (("property", "@property"), ("cached", "@functools.cached_property")):
        body = METHOD.format("self") + lazy.replace("@property", decorator)
        install(plugins, name, "import functools\n" + OBJECT.format(name=name, body=body), GROUP)
    assert plugins_command(plugins).returncode == 0


def test_the_others_are_used_and_a_description_once(listing: subprocess.CompletedProcess[str]) -> None:
    assert listing.returncode == 1
    assert "good       simplestack-good 1.0  Good" in listing.stdout
    assert "policy     simplestack-policy 1.0  Service (service)\n" in listing.stdout
    found = failures(listing.stderr)
    assert set(found) == {*BROKEN, "twin"}
    assert found["twin"].endswith("name is 'policy'; expected 'twin', the name of its entry point")
