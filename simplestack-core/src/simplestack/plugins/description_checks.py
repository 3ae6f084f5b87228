"""What is wrong with a plugin's description: the attribute, what was found, what is expected."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from simplestack.config.settings import HypervisorSettings
from simplestack.plugins.attribute_checks import (
    function_faults,
    switch_faults,
    tested_against_faults,
    title_faults,
)
from simplestack.plugins.description import HypervisorPlugin
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.examples import read_example_file
from simplestack.plugins.optional_fields import optional_fields_faults
from simplestack.plugins.settings_checks import settings_faults
from simplestack.plugins.wording import shown

_NAME = re.compile(r"\A[a-z][a-z0-9-]{0,62}\Z")
#: First segments of paths outside the base path.
_RESERVED_NAMES = frozenset({"healthz", "readyz", "metrics", "openapi.json", "docs"})
#: What core passes to the functions of a description, by position.
_ARGUMENTS = {
    "connect": ("target", "credentials", "settings"),
    "disconnect": ("session",),
    "translate": ("error",),
    "check": ("session",),
    "warnings": ("settings",),
}
_ATTRIBUTES = dataclasses.fields(HypervisorPlugin)
_SWITCHES = tuple(attribute.name for attribute in _ATTRIBUTES if attribute.type is bool)


def check_description(plugin: Any, place: str, name: str) -> HypervisorPlugin[Any]:
    """Return a description that core can use: a copy, since a subclass may compute its attributes.

    :param plugin: what the entry point names
    :param place: where it is: ``simplestack_example:plugin``
    :param name: the entry point's name
    :raises PluginFault: with everything that is wrong
    """
    if not isinstance(plugin, HypervisorPlugin):
        raise PluginFault(f"{place} is {shown(plugin)}; expected a simplestack.HypervisorPlugin")
    found = {attribute.name: getattr(plugin, attribute.name) for attribute in _ATTRIBUTES}
    faults = [
        *_name_faults(found["name"], found["aliases"], name),
        *title_faults(found["title"]),
        *tested_against_faults(found["tested_against"]),
        *(
            fault
            for attribute, arguments in _ARGUMENTS.items()
            for fault in function_faults(attribute, found[attribute], arguments)
        ),
        *_hooks_faults(found["hooks"]),
        *optional_fields_faults(found["optional_fields"]),
        *settings_faults(found["settings"], HypervisorSettings),
        *(fault for switch in _SWITCHES for fault in switch_faults(switch, found[switch])),
        *_examples_faults(found["examples"]),
    ]
    if faults:
        raise PluginFault("; ".join(faults))
    return HypervisorPlugin(**found)


def _name_faults(name: Any, aliases: Any, expected: str) -> Iterator[str]:
    words = [name]
    if name != expected:
        yield f"name is {shown(name)}; expected {expected!r}, the name of its entry point"
    if not isinstance(aliases, tuple) or not all(isinstance(alias, str) for alias in aliases):
        yield f"aliases is {shown(aliases)}; expected a tuple of words, such as aliases=('qemu',)"
    else:
        words += aliases
        for alias in dict.fromkeys(aliases):
            if words.count(alias) > 1:
                yield f"alias {alias!r} is there twice, or is the name itself; remove one"
    for word in dict.fromkeys(words):
        if isinstance(word, str) and (not _NAME.match(word) or word in _RESERVED_NAMES):
            yield (
                f"{word!r} cannot be a hypervisor's name in URLs; expected up to 63 lower-case letters, "
                f"digits and '-', a letter first, and none of {', '.join(sorted(_RESERVED_NAMES))}"
            )


def _hooks_faults(hooks: Any) -> Iterator[str]:
    if not isinstance(hooks, tuple):
        yield f"hooks is {shown(hooks)}; expected a tuple of modules, such as hooks=(guests,)"
        return
    for module in hooks:
        if not isinstance(module, ModuleType):
            yield f"hooks has {shown(module)} in it; expected modules only, such as hooks=(guests,)"


def _examples_faults(examples: Any) -> Iterator[str]:
    if isinstance(examples, Path):
        try:
            read_example_file(examples)
        except PluginFault as fault:
            yield str(fault)
    elif examples is not None:
        yield f"examples is {shown(examples)}; expected a pathlib.Path, or None"
