"""What the messages do. Those that get and set fields are the same for all classes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.datamodel import Class, classes
from simulators.xapi.failures import Failure

#: Called with a message's parameters but the session.
Handler = Callable[..., Any]
#: Called with the session's object first.
SessionHandler = Callable[..., Any]


def field_handlers(database: Database) -> dict[str, Handler]:
    """Return what gets and sets fields, by the message's name."""
    handlers: dict[str, Handler] = {}
    for class_ in classes().values():
        for name, handler in _of_class(database, class_).items():
            if name in class_.messages:
                handlers[f"{class_.name}.{name}"] = handler
    return handlers


def _of_class(database: Database, class_: Class) -> dict[str, Handler]:
    def get(ref: str) -> Object:
        return database.get(class_.name, ref)

    def by_name(label: str) -> list[str]:
        return [found.ref for found in database.all(class_.name) if found["name_label"] == label]

    found: dict[str, Handler] = {
        "get_record": get,
        "get_all": lambda: [found.ref for found in database.all(class_.name)],
        "get_all_records": lambda: {found.ref: found for found in database.all(class_.name)},
        "get_by_uuid": lambda text: database.by_uuid(class_.name, text).ref,
        "get_by_name_label": by_name,
    }
    for field in class_.fields:
        found[f"get_{field}"] = partial(_get, get, field)
        found[f"set_{field}"] = partial(_set, database, get, field)
        found[f"add_to_{field}"] = partial(_add_to, database, get, class_, field)
        found[f"remove_from_{field}"] = partial(_remove_from, database, get, field)
        found[f"add_{field}"] = partial(_add, database, get, field)
        found[f"remove_{field}"] = partial(_remove, database, get, field)
    return found


def _get(get: Callable[[str], Object], field: str, ref: str) -> Any:
    return get(ref)[field]


def _set(database: Database, get: Callable[[str], Object], field: str, ref: str, value: Any) -> None:
    with database.lock:
        get(ref)[field] = value


def _add_to(database: Database, get: Callable[[str], Object], class_: Class, field: str, *given: Any) -> None:
    ref, key, value = given
    with database.lock:
        found = get(ref)
        if key in found[field]:
            raise Failure("MAP_DUPLICATE_KEY", class_.name, field, ref, str(key))
        found[field] = {**found[field], key: value}


def _remove_from(database: Database, get: Callable[[str], Object], field: str, ref: str, key: Any) -> None:
    with database.lock:
        found = get(ref)
        found[field] = {name: value for name, value in found[field].items() if name != key}


def _add(database: Database, get: Callable[[str], Object], field: str, ref: str, value: Any) -> None:
    with database.lock:
        found = get(ref)
        found[field] = list(dict.fromkeys([*found[field], value]))


def _remove(database: Database, get: Callable[[str], Object], field: str, ref: str, value: Any) -> None:
    with database.lock:
        found = get(ref)
        found[field] = [item for item in found[field] if item != value]
