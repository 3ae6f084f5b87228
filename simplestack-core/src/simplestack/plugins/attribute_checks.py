"""What is wrong with attributes that the descriptions of both kinds of plugins have."""

import inspect
from collections.abc import Iterator
from typing import Any

from simplestack.plugins.wording import shown


def title_faults(title: Any) -> Iterator[str]:
    """Yield what is wrong with a title."""
    if not isinstance(title, str) or not title.isprintable() or not title.strip():
        yield f"title is {shown(title)}; expected a line of text, such as title='KVM (libvirt)'"


def tested_against_faults(text: Any) -> Iterator[str]:
    """Yield what is wrong with the description of what a plugin was tested against."""
    if not isinstance(text, str) or not text.isprintable():
        yield (
            f"tested_against is {shown(text)}; expected a line of text, such as "
            "tested_against='libvirt 9.0 with QEMU'"
        )


def function_faults(attribute: str, function: Any, arguments: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with a function.

    :param arguments: what core passes to it, by position
    """
    call = f"{attribute}({', '.join(arguments)})"
    if not callable(function):
        yield f"{attribute} is {shown(function)}; expected a function that core calls as {call}"
        return
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield f"{attribute} is a coroutine function; core calls {call} synchronously"
        return
    if inspect.isgeneratorfunction(function):
        yield f"{attribute} is a generator function; core calls {call} once: use return"
        return
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # written in C: it does not tell
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        yield f"{attribute} takes {signature}; core calls {call}: {error}"


def switch_faults(attribute: str, value: Any) -> Iterator[str]:
    """Yield what is wrong with a switch."""
    if not isinstance(value, bool):
        yield f"{attribute} is {shown(value)}; expected True or False"
