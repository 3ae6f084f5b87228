"""What is wrong with a plugin's description is its load failure, by attribute, and the others are used."""

import subprocess

import pytest

from support.distributions import install
from support.listing import GOOD, failures, plugins_command

#: A description in which one attribute is replaced.
SOURCE = """
@hookimpl
def guest_list(session):
    return []
{before}
plugin = HypervisorPlugin(**(dict(
    name="{name}", title="Broken", connect=lambda t, c, s: object(), disconnect=lambda s: None, hooks=(me,),
    settings=HypervisorSettings) | dict({change})))
"""
#: What is replaced, and the whole reason.
BROKEN = {
    "name": ("name='other'", "name is 'other'; expected 'name', the name of its entry point"),
    "name-type": ("name=42", "name is 42; expected 'name-type', the name of its entry point"),
    "healthz": (
        "",
        (
            "'healthz' cannot be a hypervisor's name in URLs; expected up to 63 lower-case letters, digits "
            "and '-', a letter first, and none of docs, healthz, metrics, openapi.json, readyz"
        ),
    ),
    "title": ("title=None", "title is None; expected a line of text, such as title='KVM (libvirt)'"),
    "title-empty": ("title=' '", "title is ' '; expected a line of text, such as title='KVM (libvirt)'"),
    "title-lines": (
        "title='a\\nb'",
        "title is 'a\\nb'; expected a line of text, such as title='KVM (libvirt)'",
    ),
    "tested-against": (
        "tested_against=['vcsim']",
        (
            "tested_against is ['vcsim']; expected a line of text, such as "
            "tested_against='libvirt 9.0 with QEMU'"
        ),
    ),
    "aliases": ("aliases=('x')", "aliases is 'x'; expected a tuple of words, such as aliases=('qemu',)"),
    "aliases-list": (
        "aliases=['x']",
        "aliases is ['x']; expected a tuple of words, such as aliases=('qemu',)",
    ),
    "aliases-number": (
        "aliases=(1,)",
        "aliases is (1,); expected a tuple of words, such as aliases=('qemu',)",
    ),
    "alias-upper": ("aliases=('X',)", "'X' cannot be a hypervisor's name in URLs; expected up to 63 "),
    "alias-own": (
        "aliases=('alias-own',)",
        "alias 'alias-own' is there twice, or is the name itself; remove one",
    ),
    "hooks-module": (
        "hooks=me",
        "hooks is module plugin_hooks_module; expected a tuple of modules, such as hooks=(guests,)",
    ),
    "hooks-list": ("hooks=[1]", "hooks is [1]; expected a tuple of modules, such as hooks=(guests,)"),
    "hooks-names": (
        "hooks=(me, 'guests')",
        "hooks has 'guests' in it; expected modules only, such as hooks=(guests,)",
    ),
    "hooks-empty": ("hooks=()", "no function is marked with @hookimpl in its hook modules (none)"),
    "connect": (
        "connect='x'",
        "connect is 'x'; expected a function that core calls as connect(target, credentials, settings)",
    ),
    "connect-arity": (
        "connect=lambda target: object()",
        "(target); core calls connect(target, credentials, settings): too many positional arguments",
    ),
    "disconnect": (
        "disconnect=None",
        "disconnect is None; expected a function that core calls as disconnect(session)",
    ),
    "translate": (
        "translate=lambda: None",
        "translate takes (); core calls translate(error): too many positional arguments",
    ),
    "check": ("check=True", "check is True; expected a function that core calls as check(session)"),
    "warnings": (
        "warnings=lambda settings, more: []",
        "warnings takes (settings, more); core calls warnings(settings): missing a required argument: 'more'",
    ),
    "async": (
        "connect=connect",
        "connect is a coroutine function; core calls connect(target, credentials, settings) synchronously",
    ),
    "generator": (
        "warnings=warnings",
        "warnings is a generator function; core calls warnings(settings) once: use return",
    ),
    "switch": ("shares_sessions='no'", "shares_sessions is 'no'; expected True or False"),
    "examples": ("examples='x.json'", "examples is 'x.json'; expected a pathlib.Path, or None"),
    "examples-absent": (
        "examples=Path('/nowhere.json')",
        "examples: /nowhere.json cannot be read: [Errno 2] No such file or directory: '/nowhere.json'",
    ),
    "examples-unknown": (
        "examples=written('{\"guest_inof\": {}}')",
        "/plugin_examples_unknown.json has 'guest_inof', which is no operation; did you mean 'guest_info'?",
    ),
    "examples-field": (
        'examples=written(\'{"guest_info": {"reply": {}}}\')',
        "cannot be read: Object contains unknown field `reply` - at `$[...]`",
    ),
    "optional-fields": (
        "optional_fields=['user_data']",
        "optional_fields is ['user_data']; expected tuples of fields by hook, such as optional_fields=",
    ),
    "optional-hook": (
        "optional_fields={'guest_crate': ()}",
        (
            "optional_fields has 'guest_crate', which is no hook with optional fields; "
            "did you mean 'guest_create'?"
        ),
    ),
    "optional-field": (
        "optional_fields={'guest_create': ('userdata', 1)}",
        (
            "optional_fields has 'userdata', which is no optional field of guest_create; did you mean "
            "'user_data'?; optional_fields has 1, which is no optional field of guest_create; there are firm"
        ),
    ),
    "optional-tuple": (
        "optional_fields={'guest_create': 'user_data'}",
        "optional_fields has 'user_data' for guest_create; expected a tuple of fields, such as ",
    ),
    "optional-absent": (
        "optional_fields={'guest_clone': ('hostname',)}",
        "optional_fields has fields of guest_clone, which the plugin does not implement; remove them",
    ),
    "settings": (
        "settings=dict",
        "settings is class dict; expected a subclass of simplestack.HypervisorSettings",
    ),
    "settings-made": (
        "settings=HypervisorSettings()",
        (
            "settings is an object of class HypervisorSettings; "
            "expected a subclass of simplestack.HypervisorSettings"
        ),
    ),
    "settings-default": (
        "settings=Invalid",
        "settings: the default of Invalid.retries is -1: Expected `int` >= 0",
    ),
    "settings-factory": (
        "settings=Raising",
        "settings: the default of Raising.folder failed: ZeroDivisionError: division by zero",
    ),
    "settings-core": (
        "settings=Retyped",
        "settings: Retyped.hosts has another type than in HypervisorSettings; change its default alone",
    ),
    "settings-type": (
        "settings=Ambiguous",
        "settings: Ambiguous cannot be read from TOML: Type unions may not contain more than one ",
    ),
    "settings-annotation": (
        "settings=Missing",
        "settings: the annotations of Missing cannot be evaluated: name 'Nothing' is not defined",
    ),
    "several": (
        "title=1, check=2",
        (
            "title is 1; expected a line of text, such as title='KVM (libvirt)'; "
            "check is 2; expected a function that core calls as check(session)"
        ),
    ),
    "computed": ("", "checking it failed: SystemExit: no title (plugin_computed.py, line 12, in title)"),
}
BEFORE = {
    "async": "async def connect(target, credentials, settings): ...",
    "generator": "def warnings(settings): yield 'x'",
    "settings-default": """
from typing import Annotated
from msgspec import Meta
class Invalid(HypervisorSettings, frozen=True, kw_only=True):
    retries: Annotated[int, Meta(ge=0)] = -1
""",
    "settings-factory": """
from msgspec import field
class Raising(HypervisorSettings, frozen=True, kw_only=True):
    folder: str = field(default_factory=lambda: 1 / 0)
""",
    "settings-core": """
class Retyped(HypervisorSettings, frozen=True, kw_only=True):
    hosts: list[str] = []
""",
    "settings-annotation": """
class Missing(HypervisorSettings, frozen=True, kw_only=True):
    other: "Nothing" = None
""",
    "settings-type": """
class Ambiguous(HypervisorSettings, frozen=True, kw_only=True):
    either: list[int] | set[str] | None = None
""",
    "computed": """
class Computed(HypervisorPlugin):
    @property
    def title(self): sys.exit("no title")
    @title.setter
    def title(self, value): ...
HypervisorPlugin = Computed
""",
}
#: Makes an examples file.
WRITTEN = """
from pathlib import Path
def written(text):
    path = Path(__file__).with_suffix(".json")
    path.write_text(text)
    return path
"""


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the command prints with all of them installed."""
    folder = tmp_path_factory.mktemp("broken")
    install(folder, "good", GOOD)
    for name, (change, _) in BROKEN.items():
        before = BEFORE.get(name, WRITTEN if "Path" in change or "written" in change else "")
        install(folder, name, SOURCE.format(name=name, change=change, before=before))
    return plugins_command(folder)


@pytest.mark.parametrize("name", BROKEN)
def test_a_wrong_attribute_is_named_with_what_is_found_and_expected(
    listing: subprocess.CompletedProcess[str], name: str
) -> None:
    found = failures(listing.stderr)[name]
    assert found.startswith(f"(simplestack-{name} 1.0): ")
    assert BROKEN[name][1] in found
    assert ";" not in found.replace(BROKEN[name][1], ""), "something else is reported, too"


def test_the_others_are_used(listing: subprocess.CompletedProcess[str]) -> None:
    assert listing.returncode == 1
    assert "good       simplestack-good 1.0  Good" in listing.stdout
    assert set(failures(listing.stderr)) == set(BROKEN)
