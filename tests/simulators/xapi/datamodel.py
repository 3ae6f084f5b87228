"""XenAPI's data model: classes, their fields and their messages, as far as the simulator has them.

`datamodel.json` holds what cannot be derived. The messages that get and set fields follow from the fields.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from simulators.xapi.types import Type, WrongType, parse_type, struct_xml

_FILE = Path(__file__).with_name("datamodel.json")
Qualifier = Literal["RW", "RO/constructor", "RO/runtime"]


class Field(Struct, frozen=True, kw_only=True):
    """A field of a class."""

    name: str
    type: Type
    qualifier: Qualifier
    default: Callable[[], Any]
    #: Whether a record that something is made of may lack it.
    may_lack: bool


class Parameter(Struct, frozen=True):
    """A parameter of a message."""

    name: str
    type: Type
    required: bool = True


class Message(Struct, frozen=True, kw_only=True):
    """A message: ``VM.start``."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: Type
    raises: frozenset[str] = frozenset()
    #: Whether there is an ``Async.`` one, which returns a task.
    has_task: bool

    @property
    def needs_session(self) -> bool:
        """Whether its first parameter is a session."""
        return bool(self.parameters) and self.parameters[0].name == "session_id"


class Class(Struct, frozen=True, kw_only=True):
    """A class of objects."""

    name: str
    fields: Mapping[str, Field]
    messages: Mapping[str, Message]
    #: Of whole objects.
    record: Type


class _Facts(Struct):
    takes: list[str]
    returns: str
    raises: list[str]
    implicit: bool = False


class _ClassFacts(Struct):
    fields: dict[str, str]
    messages: dict[str, _Facts]
    without: list[str] | Literal["all"] = msgspec.field(default_factory=list)


class _Model(Struct):
    enums: dict[str, list[str]]
    classes: dict[str, _ClassFacts]


@cache
def classes() -> Mapping[str, Class]:
    """Return all classes."""
    model = msgspec.json.decode(_FILE.read_bytes(), type=_Model)
    fields = {name: _fields(facts, model.enums) for name, facts in model.classes.items()}
    records = {f"{name} record": _record(f"{name} record", found) for name, found in fields.items()}

    def type_of(name: str) -> Type:
        if name in records:
            return records[name]
        for record, found in records.items():
            if name.endswith(f" -> {record}) map"):
                return _map_of(name, found)
        if name == "an event batch" or " record" in name:
            return _opaque(name)
        return parse_type(name, model.enums)

    return {
        name: Class(
            name=name,
            fields=fields[name],
            messages=_messages(name, facts, fields[name], type_of),
            record=records[f"{name} record"],
        )
        for name, facts in model.classes.items()
    }


def _fields(facts: _ClassFacts, enums: Mapping[str, list[str]]) -> dict[str, Field]:
    found = {}
    for name, text in facts.fields.items():
        kind, qualifier, *default = text.split(" | ", 2)
        its_type = parse_type(kind, enums)
        found[name] = Field(
            name=name,
            type=its_type,
            qualifier=msgspec.convert(qualifier, Qualifier),
            default=_default(its_type, default[0]) if default else its_type.zero,
            may_lack=bool(default) or qualifier == "RO/runtime",
        )
    return found


def _default(kind: Type, text: str) -> Callable[[], Any]:
    return lambda: kind.from_default(text)


def _record(name: str, fields: Mapping[str, Field]) -> Type:
    """Return the type of whole objects. Members that nobody knows are ignored, as XAPI does."""

    def read(wire: str) -> Callable[[Any], dict[str, Any]]:
        def members(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise WrongType
            found = {}
            for field in fields.values():
                if field.name in value:
                    reads = field.type.from_xml if wire == "xml" else field.type.from_json
                    found[field.name] = reads(value[field.name])
                elif not field.may_lack:
                    raise WrongType
            return found

        return members

    def to_xml(value: Mapping[str, Any]) -> str:
        return struct_xml({name: field.type.to_xml(value[name]) for name, field in fields.items()})

    def to_json(value: Mapping[str, Any]) -> dict[str, Any]:
        return {name: field.type.to_json(value[name]) for name, field in fields.items()}

    return Type(
        name=name,
        zero=dict,
        from_xml=read("xml"),
        from_json=read("json"),
        to_xml=to_xml,
        to_json=to_json,
        from_default=lambda _text: {},
    )


def _map_of(name: str, record: Type) -> Type:
    """Return the type of all records of a class by reference: nobody sends one."""
    return Type(
        name=name,
        zero=dict,
        from_xml=_refuse,
        from_json=_refuse,
        to_xml=lambda value: struct_xml({ref: record.to_xml(found) for ref, found in value.items()}),
        to_json=lambda value: {ref: record.to_json(found) for ref, found in value.items()},
        from_default=lambda _text: {},
    )


def _opaque(name: str) -> Type:
    """Return the type of values that only a message of its own can write, and nobody sends."""
    return Type(
        name=name,
        zero=dict,
        from_xml=_refuse,
        from_json=_refuse,
        to_xml=str,
        to_json=lambda value: value,
        from_default=str,
    )


def _refuse(_value: Any) -> Any:
    raise WrongType


def _messages(
    name: str, facts: _ClassFacts, fields: Mapping[str, Field], type_of: Callable[[str], Type]
) -> dict[str, Message]:
    described = {
        message: (found.takes, found.returns, found.raises) for message, found in facts.messages.items()
    }
    if facts.without != "all":
        for message, (takes, returns) in _derived(name, fields).items():
            if message not in facts.without:
                described[message] = (takes, returns, [])
    return {
        message: Message(
            name=f"{name}.{message}",
            parameters=tuple(_parameter(text, type_of) for text in takes),
            returns=type_of(returns),
            raises=frozenset(raises),
            has_task=message in facts.messages and name not in ("session", "task", "event"),
        )
        for message, (takes, returns, raises) in described.items()
    }


def _parameter(text: str, type_of: Callable[[str], Type]) -> Parameter:
    kind, _, name = text.rpartition(" ")
    return Parameter(name.removesuffix("?"), type_of(kind), not name.endswith("?"))


def _derived(name: str, fields: Mapping[str, Field]) -> dict[str, tuple[list[str], str]]:
    """Return what the messages about fields take and return."""
    session = "session ref session_id"
    this = [session, f"{name} ref self"]
    found: dict[str, tuple[list[str], str]] = {
        "get_record": (this, f"{name} record"),
        "get_all": ([session], f"{name} ref set"),
        "get_all_records": ([session], f"({name} ref -> {name} record) map"),
    }
    if "uuid" in fields:
        found["get_by_uuid"] = ([session, "string uuid"], f"{name} ref")
    if "name_label" in fields:
        found["get_by_name_label"] = ([session, "string label"], f"{name} ref set")
    for field in fields.values():
        kind = field.type.name
        found[f"get_{field.name}"] = (this, kind)
        if field.qualifier != "RW":
            continue
        found[f"set_{field.name}"] = ([*this, f"{kind} value"], "void")
        if kind.endswith(" map"):
            key, _, content = kind.removeprefix("(").removesuffix(") map").partition(" -> ")
            found[f"add_to_{field.name}"] = ([*this, f"{key} key", f"{content} value"], "void")
            found[f"remove_from_{field.name}"] = ([*this, f"{key} key"], "void")
        elif kind.endswith(" set"):
            item = kind.removesuffix(" set")
            found[f"add_{field.name}"] = ([*this, f"{item} value"], "void")
            found[f"remove_{field.name}"] = ([*this, f"{item} value"], "void")
    return found
