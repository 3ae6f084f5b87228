"""Check the arguments of a hook that a service plugin calls."""

from typing import Any

import msgspec

from simplestack.entities.texts import check_texts
from simplestack.hookspecs import SPEC_PARAMETERS
from simplestack.operations.optional_fields import OPTIONAL_FIELDS, with_optional_argument
from simplestack.operations.table import BODIES, TRANSFER_HOOKS
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.suggestions import did_you_mean


def nested_arguments(hypervisor: Hypervisor, hook: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the hook's arguments without the session, with defaults and a typed body.

    :raises TypeError: the hook is unknown, streams an image, or does not take these arguments
    :raises InvalidArguments: an ID or a name is none that a client could send
    """
    if hook not in SPEC_PARAMETERS:
        raise TypeError(f"context.call: unknown hook {hook!r}{did_you_mean(hook, SPEC_PARAMETERS)}")
    if hook in TRANSFER_HOOKS:
        raise TypeError(f"context.call: {hook} transfers an image; only a client can call it")
    known = [name for name in SPEC_PARAMETERS[hook] if name != "session"]
    arguments = with_optional_argument(hook, dict(given))
    if "fields" in known:
        arguments.setdefault("fields", hypervisor.fields.get(hook, frozenset()))
    for name in arguments:
        if name not in known:
            hint = did_you_mean(name, known) or f"; the hook has {', '.join(known) or 'no arguments'}"
            raise TypeError(f"context.call({hook!r}): unknown argument {name!r}{hint}")
    for name in known:
        if name not in arguments:
            raise TypeError(f"context.call({hook!r}): argument {name!r} is missing")
    check_texts(arguments)
    kind = hypervisor.bodies.get(hook)
    if kind is not None:
        name, _ = BODIES[hook]
        arguments[name] = _body(f"context.call({hook!r}): {name}", arguments[name], kind)
    optional = OPTIONAL_FIELDS.get(hook)
    if optional is not None and optional.may_be_none and arguments[optional.argument] is not None:
        name = optional.argument
        arguments[name] = _body(f"context.call({hook!r}): {name}", arguments[name], optional.type)
    return arguments


def _body(place: str, given: Any, kind: type[msgspec.Struct]) -> Any:
    """Return a body with the plugin's type, checked like a client's."""
    try:
        return msgspec.convert(msgspec.to_builtins(given), kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise TypeError(f"{place}: {error}") from None
