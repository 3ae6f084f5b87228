"""Convert what the operator wrote to the settings of a plugin, and get its warnings about them."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from simplestack.config.errors import SettingsError
from simplestack.plugins.containment import PluginCode
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.wording import shown

S = TypeVar("S", bound=Struct)


def make_settings(raw: dict[str, Any], kind: type[S], place: str, code: PluginCode) -> S:
    """Return a table of settings as the struct of its plugin.

    :param place: dotted path of the table
    :raises SettingsError: a value is wrong
    :raises PluginFault: the plugin's code fails, or its default settings are invalid
    """

    def convert() -> S | msgspec.ValidationError:
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            return error

    made = code.run(f"making {kind.__name__}", convert)
    if not isinstance(made, msgspec.ValidationError):
        return made
    error = SettingsError.of(made, place, kind)
    if raw:
        raise error
    # Nobody has set anything for this plugin, which may be installed without being wanted.
    raise PluginFault(f"it cannot be used with its default settings: {error}. Set [{place}]")


def settings_warnings(warnings: Callable[[S], list[str]], settings: S, code: PluginCode) -> list[str]:
    """Return what a plugin says about its settings.

    :raises PluginFault: ``warnings`` does not return it
    """
    said: Any = code.run("warnings(settings)", partial(warnings, settings))
    if not isinstance(said, list) or not all(isinstance(line, str) for line in said):
        raise PluginFault(f"warnings(settings) returned {shown(said)}; expected a list of str")
    return said
