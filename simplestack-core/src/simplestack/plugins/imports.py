"""Importing what an entry point names."""

import importlib
from functools import partial
from typing import Any

from simplestack.plugins.containment import PluginCode
from simplestack.plugins.entry_points import Installed
from simplestack.plugins.errors import PluginFault
from simplestack.suggestions import did_you_mean


def load_object(installed: Installed, code: PluginCode) -> Any:
    """Import a plugin's module and return the object that the entry point names.

    :raises PluginFault: the import failed, or there is no such object
    """
    point = installed.point
    found: Any = code.run(f"importing {point.value}", partial(importlib.import_module, point.module))
    place = point.module
    for name in filter(None, (point.attr or "").split(".")):
        found = code.run(f"importing {point.value}", partial(_attribute, found, name, place, point.value))
        place = f"{place}.{name}"
    return found


def _attribute(owner: Any, name: str, place: str, value: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        hint = did_you_mean(name, dir(owner))
        raise PluginFault(f"its entry point is {value!r}, but {place} has no {name!r}{hint}") from None
