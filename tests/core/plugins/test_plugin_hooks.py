"""What is wrong with a plugin's hooks is its load failure, by function, and the others are used."""

import subprocess
from pathlib import Path

import pytest

from support.distributions import install
from support.listing import GOOD, failures, good, plugins_command

#: What is added to a plugin that is right, and the whole reason without its beginning, the module's name.
BROKEN = {
    "misspelt": (
        "@hookimpl\ndef guest_lsit(session): ...",
        "guest_lsit: unknown hook 'guest_lsit'; did you mean 'guest_list'?",
    ),
    "argument-misspelt": (
        "@hookimpl\ndef guest_info(session, guest): ...",
        "guest_info: unknown argument 'guest'; did you mean 'guest_id'?",
    ),
    "argument-unknown": (
        "@hookimpl\ndef guest_info(session, vm): ...",
        "guest_info: unknown argument 'vm'; the hook has session, guest_id",
    ),
    "argument-default": (
        "@hookimpl\ndef tag_list(session, guest_id=None): ...",
        "tag_list: parameter 'guest_id' must have no default: core always passes it",
    ),
    "argument-keyword": (
        "@hookimpl\ndef tag_list(session, *, guest_id): ...",
        "tag_list: parameter 'guest_id' must be a plain one: pluggy passes arguments by position",
    ),
    "coroutine": (
        "@hookimpl\nasync def tag_list(session): ...",
        "tag_list: is a coroutine function; hooks are called synchronously",
    ),
    "coroutine-generator": (
        "@hookimpl\nasync def tag_list(session): yield",
        "tag_list: is a coroutine function; hooks are called synchronously",
    ),
    "generator": (
        "@hookimpl\ndef tag_list(session, guest_id): yield 'x'",
        "tag_list: is a generator function; expected one that returns its result",
    ),
    "wrapper-alone": (
        "@hookimpl(wrapper=True)\ndef tag_list(session):\n    return (yield)",
        (
            "tag_list: wraps hook 'tag_list', which the plugin does not implement; implement it, or remove "
            "this"
        ),
    ),
    "wrapper-old": (
        "@hookimpl(hookwrapper=True, specname='guest_list')\ndef timed(session):\n    yield",
        "timed: is an old-style wrapper; mark it with @hookimpl(wrapper=True) and `return (yield)`",
    ),
    "wrapper-plain": (
        "@hookimpl(wrapper=True, specname='guest_list')\ndef timed(session):\n    return []",
        "timed: has no yield; expected a generator function, which ends with `return (yield)`",
    ),
    "wrapper-argument": (
        "@hookimpl(wrapper=True, specname='guest_list')\ndef timed(guest_id):\n    return (yield)",
        "timed: unknown argument 'guest_id'; the hook has session, fields",
    ),
    "twice": (
        "@hookimpl(specname='guest_list')\ndef other(session): ...",
        "other: hook 'guest_list' is implemented by plugin_twice.guest_list already; remove one",
    ),
    "body": (
        "@hookimpl\ndef disk_create(session, disk: int): ...",
        "disk_create: 'disk' is annotated with int; expected DiskCreate or a subclass of it",
    ),
    "body-undefined": (
        "@hookimpl\ndef disk_create(session, disk: 'Mising'): ...",
        (
            "disk_create: the annotation of 'disk', 'Mising', cannot be evaluated: name 'Mising' is not "
            "defined; core reads it, so import what it names at run time, not under TYPE_CHECKING"
        ),
    ),
    "body-odd": (
        (
            "class Own(DiskCreate, frozen=True, kw_only=True):\n    either: list[int] | set[str] = []\n"
            "@hookimpl\ndef disk_create(session, disk: Own): ..."
        ),
        (
            "disk_create: 'disk' is annotated with Own, whose fields JSON cannot have: Type unions may not "
            "contain more than one array-like (list, set, tuple) type - type `list[int] | set[str]` is not "
            "supported"
        ),
    ),
    "entity-other": (
        "@hookimpl\ndef guest_info(session, guest_id) -> Disk: ...",
        "guest_info: it is annotated to return Disk; expected Guest or a subclass of it",
    ),
    "entity-list": (
        "@hookimpl\ndef guest_info(session, guest_id) -> list[Guest]: ...",
        "guest_info: it is annotated to return list[Guest]; expected Guest or a subclass of it",
    ),
    "entity-none": (
        "@hookimpl\ndef guest_info(session, guest_id) -> Guest | None: ...",
        (
            "guest_info: it is annotated to return simplestack.entities.guest.Guest | None; "
            "expected Guest or a subclass of it"
        ),
    ),
    "entity-undefined": (
        "@hookimpl\ndef guest_info(session, guest_id) -> 'Gust': ...",
        (
            "guest_info: its return annotation, 'Gust', cannot be evaluated: name 'Gust' is not defined; "
            "core reads it, so import what it names at run time, not under TYPE_CHECKING"
        ),
    ),
    "entity-odd": (
        (
            "class Thing: ...\nclass Own(Guest, frozen=True, kw_only=True):\n    thing: Thing\n"
            "@hookimpl\ndef guest_info(session, guest_id) -> Own: ..."
        ),
        (
            "guest_info: it is annotated to return Own, whose fields JSON cannot have: Generating JSON "
            "schema for custom types requires either"
        ),
    ),
    "entity-retyped": (
        (
            "class Own(Guest, frozen=True, kw_only=True):\n    rack: str\n    memory: str\n"
            "@hookimpl\ndef guest_info(session, guest_id) -> Own: ..."
        ),
        (
            "guest_info: it is annotated to return Own, whose field 'memory' has another type than in Guest; "
            "remove the field from Own"
        ),
    ),
    "entity-array": (
        (
            "class Own(Guest, frozen=True, kw_only=True, array_like=True): ...\n"
            "@hookimpl\ndef guest_info(session, guest_id) -> Own: ..."
        ),
        (
            "guest_info: it is annotated to return Own, which is array_like; "
            "clients expect an object: remove array_like"
        ),
    ),
    "entity-renamed": (
        (
            "from msgspec import field\nclass Own(Guest, frozen=True, kw_only=True):\n"
            "    host: str | None = field(name='node', default=None)\n"
            "@hookimpl\ndef guest_info(session, guest_id) -> Own: ..."
        ),
        (
            "guest_info: it is annotated to return Own, whose field 'host' is 'node' in JSON; a field has "
            "one name: remove `name` and `rename`"
        ),
    ),
    "entity-renamed-all": (
        (
            "class Own(Guest, frozen=True, kw_only=True, rename='camel'):\n    rack_id: str\n"
            "@hookimpl\ndef guest_info(session, guest_id) -> Own: ..."
        ),
        (
            "guest_info: it is annotated to return Own, whose field 'rack_id' is 'rackId' in JSON; a field "
            "has one name: remove `name` and `rename`"
        ),
    ),
    "body-renamed": (
        (
            "from msgspec import field\nclass Own(GuestCreate, frozen=True, kw_only=True):\n"
            "    user_data: str | None = field(name='userData', default=None)\n"
            "@hookimpl\ndef guest_create(session, guest: Own): ..."
        ),
        (
            "guest_create: 'guest' is annotated with Own, whose field 'user_data' is 'userData' in JSON; a "
            "field has one name: remove `name` and `rename`"
        ),
    ),
    "body-array": (
        (
            "class Own(DiskCreate, frozen=True, kw_only=True, array_like=True): ...\n"
            "@hookimpl\ndef disk_create(session, disk: Own): ..."
        ),
        (
            "disk_create: 'disk' is annotated with Own, which is array_like; "
            "clients expect an object: remove array_like"
        ),
    ),
    "list-single": (
        "@hookimpl\ndef disk_list(session, guest_id) -> Disk: ...",
        "disk_list: it is annotated to return Disk; expected list[Disk] or a list of a subclass of Disk",
    ),
    "list-other": (
        "@hookimpl\ndef disk_list(session, guest_id) -> list[Guest]: ...",
        (
            "disk_list: it is annotated to return list[Guest]; "
            "expected list[Disk] or a list of a subclass of Disk"
        ),
    ),
    "list-tuple": (
        "@hookimpl\ndef tag_list(session, guest_id) -> tuple[str, ...]: ...",
        "tag_list: it is annotated to return tuple[str, ...]; expected list[str]",
    ),
    "list-bare": (
        "from typing import List\n@hookimpl\ndef pool_info(session) -> List: ...",
        "pool_info: it is annotated to return list; expected Pool or a subclass of it",
    ),
    "none-entity": (
        "@hookimpl\ndef guest_start(session, guest_id) -> Guest: ...",
        "guest_start: it is annotated to return Guest; expected None",
    ),
    "export": (
        (
            "from collections.abc import Iterator\n@hookimpl\n"
            "def guest_export(session, guest_id) -> Iterator[bytes]: ..."
        ),
        "guest_export: it is annotated to return collections.abc.Iterator[bytes]; expected Export",
    ),
    "unmarked": (
        "def guest_info(session, guest_id): ...",
        "guest_info: has the name of a hook, but is not marked; add @hookimpl, or rename it",
    ),
    "unmarked-lambda": (
        "tag_list = lambda session: []",
        "tag_list: has the name of a hook, but is not marked; add @hookimpl, or rename it",
    ),
    "unmarked-decorated": (
        (
            "def logged(function):\n    def wrapper(session): return function(session)\n    return wrapper\n"
            "@logged\n@hookimpl\ndef pool_info(session): ..."
        ),
        "pool_info: has the name of a hook, but is not marked; add @hookimpl, or rename it",
    ),
    "marked-method": (
        "class Own:\n    @hookimpl\n    def pool_info(self, session): ...\npool_info = Own().pool_info",
        "pool_info: is marked with @hookimpl, but is method Own.pool_info; expected a plain function",
    ),
    "marked-object": (
        "import functools\npool_info = hookimpl(functools.partial(guest_list))",
        "pool_info: is marked with @hookimpl, but is an object of class partial; expected a plain function",
    ),
}
#: What is right, however it is written.
RIGHT = {
    "unannotated": "@hookimpl\ndef guest_info(session, guest_id): ...",
    "any": "from typing import Any\n@hookimpl\ndef guest_info(session, guest_id) -> Any: ...",
    "own-guest": (
        "class Own(Guest, frozen=True, kw_only=True):\n    rack: str\n"
        "@hookimpl\ndef guest_info(session, guest_id) -> 'Own': ..."
    ),
    "own-or-guest": (
        "class Own(Guest, frozen=True, kw_only=True):\n    rack: str\n"
        "@hookimpl\ndef guest_info(session, guest_id) -> Own | Guest: ..."
    ),
    "own-guests": (
        "class Own(Disk, frozen=True, kw_only=True):\n    rack: str\n"
        "@hookimpl\ndef disk_list(session, guest_id) -> list['Own']: ..."
    ),
    "body-narrowed": (
        "from typing import Literal\nclass Update(GuestUpdate, frozen=True, kw_only=True):\n"
        "    memory: Literal[1024, 2048] | None = None\n"
        "@hookimpl\ndef guest_update(session, changes: Update) -> Guest: ..."
    ),
    "plain-list": "@hookimpl\ndef tag_list(session, guest_id) -> list: ...",
    "bare-list": "from typing import List\n@hookimpl\ndef disk_list(session, guest_id) -> List: ...",
    "no-result": "@hookimpl\ndef guest_start(session, guest_id) -> None: ...",
    "never": (
        "from typing import NoReturn\n@hookimpl\ndef guest_start(session, guest_id) -> NoReturn:\n"
        "    raise NotImplementedError('none of these can start')"
    ),
    "session-unknown": "@hookimpl\ndef guest_start(session: 'Unknown', guest_id: 'Unknown') -> None: ...",
    "wrappers": (
        "".join(
            f"@hookimpl(wrapper=True, specname='guest_list')\ndef {name}(session):\n    return (yield)\n"
            for name in ("timed", "logged")
        )
    ),
    "helper-imported": "from json import loads as guest_info",
}


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the command prints with all of them installed."""
    folder = tmp_path_factory.mktemp("broken")
    install(folder, "good", GOOD)
    for name, (change, _) in BROKEN.items():
        install(folder, name, f"{good(name)}{change}\n")
    for name, change in RIGHT.items():
        install(folder, name, f"{good(name)}{change}\n")
    return plugins_command(folder)


@pytest.mark.parametrize("name", BROKEN)
def test_a_hook_that_is_wrong_is_named_with_the_reason(
    listing: subprocess.CompletedProcess[str], name: str
) -> None:
    module = f"plugin_{name.replace('-', '_')}"
    found = failures(listing.stderr)[name]
    assert found.startswith(f"(simplestack-{name} 1.0): {module}.{BROKEN[name][1]}")
    assert found.endswith(BROKEN[name][1]) or name == "entity-odd"  # msgspec says more


def test_the_others_are_used(listing: subprocess.CompletedProcess[str]) -> None:
    assert listing.returncode == 1
    assert "good       simplestack-good 1.0  Good" in listing.stdout
    assert set(failures(listing.stderr)) == set(BROKEN)
    for name in RIGHT:
        assert f"simplestack-{name} 1.0  Good" in listing.stdout


def test_everything_that_is_wrong_is_reported_at_once(
    plugins: Path,
) -> None:
    install(
        plugins,
        "bad",
        good("bad")
        + "@hookimpl\ndef disk_create(session, disk: int) -> None: ...\n"
        + "@hookimpl\ndef disk_list(session, guest_id) -> Disk: ...\n",
    )
    reason = failures(plugins_command(plugins).stderr)["bad"]
    assert "disk_create: 'disk' is annotated with int" in reason
    assert "; plugin_bad.disk_list: it is annotated to return Disk" in reason
