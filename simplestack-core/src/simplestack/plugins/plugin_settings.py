"""Convert what the operator wrote to the settings of a plugin, and get its warnings about them."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from simplestack.config.tables import Table, convert_table
from simplestack.plugins.containment import PluginCode
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.wording import shown

S = TypeVar("S", bound=Struct)


def make_settings(raw: dict[str, Any], kind: type[S], place: str, code: PluginCode) -> Table[S]:
    """Return a table of settings as the struct of its plugin, with everything that is wrong in it.

    :param place: dotted path of the table
    :raises PluginFault: the plugin's code fails, or its default settings are invalid
    """

    def convert(values: dict[str, Any]) -> S | msgspec.ValidationError:
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError as error:
            return error

    step = f"making {kind.__name__}"
    table = convert_table(raw, kind, place, lambda values: code.run(step, partial(convert, values)))
    if table.problems and not raw:
        # Nobody has set anything for this plugin, which may be installed without being wanted.
        reason = "; ".join(table.problems)
        raise PluginFault(f"it cannot be used with its default settings: {reason}. Set [{place}]")
    return table


def settings_warnings(warnings: Callable[[S], list[str]], settings: S, code: PluginCode) -> list[str]:
    """Return what a plugin says about its settings.

    :raises PluginFault: ``warnings`` does not return it
    """
    said: Any = code.run("warnings(settings)", partial(warnings, settings))
    if not isinstance(said, list) or not all(isinstance(line, str) for line in said):
        raise PluginFault(f"warnings(settings) returned {shown(said)}; expected a list of str")
    return said
