"""``settings MODULE.CLASS``: a table of the settings that a class adds, with defaults and meanings."""

import importlib
import json
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from simplestack import HypervisorSettings
from simplestack.docstrings import field_comments
from simplestack_docs.prose import inline, table
from simplestack_docs.sections import note_anchor


class Setting(NamedTuple):
    """One setting as the table has it."""

    name: str
    #: As TOML writes it; empty where there is none, or where the machine decides.
    default: str
    meaning: str


class SettingsTable(SphinxDirective):
    """The directive. Its argument may be the settings of any plugin that can be imported."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        name = self.arguments[0]
        module, _, struct = name.rpartition(".")
        found = getattr(importlib.import_module(module), struct)
        self.env.note_dependency(str(importlib.import_module(module).__file__))
        rows = []
        for setting in settings_of(found):
            anchor = f"{name}.{setting.name}"
            note_anchor(self, anchor, setting.name)
            label = nodes.literal(setting.name, setting.name, ids=[anchor])
            default = [nodes.literal(setting.default, setting.default)] if setting.default else []
            rows.append(([label], default, inline(setting.meaning)))
        return [table(("setting", "default", "meaning"), rows)]


def settings_of(kind: type[msgspec.Struct]) -> Iterator[Setting]:
    """Yield the settings that a class adds to those of every hypervisor.

    :raises ValueError: one has no comment that says what it means
    """
    comments = field_comments(kind)
    is_plugin = issubclass(kind, HypervisorSettings) and kind is not HypervisorSettings
    inherited = HypervisorSettings.__struct_fields__ if is_plugin else ()
    for field in msgspec.structs.fields(kind):
        if field.name in inherited:
            continue
        if field.name not in comments:
            raise ValueError(f"{kind.__name__}.{field.name} has no `#:` comment that says what it means")
        yield Setting(field.name, _default(field), comments[field.name])


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return "" if field.default is None else json.dumps(field.default)
    # A function works the default out from the machine: the comment tells.
    return json.dumps(field.default_factory()) if field.default_factory in {dict, list} else ""


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("settings", SettingsTable)
