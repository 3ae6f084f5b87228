"""Mistakes that type checkers have to report: each line ends with what mypy and pyright call its own."""

import simplestack_consumer
from simplestack import (
    Credentials,
    EntityNotFound,
    Guest,
    GuestCreate,
    HypervisorPlugin,
    HypervisorSettings,
    Stack,
    Target,
)
from simplestack_consumer import guests


def connect(target: Target, credentials: Credentials, settings: int) -> object:
    """Take settings that are no settings."""
    return (target, credentials, settings)


def mistakes(stack: Stack, guest: Guest) -> None:
    """Make them."""
    stack.guest_lsit()  # attr-defined reportAttributeAccessIssue
    stack.guest_info(42)  # arg-type reportArgumentType
    stack.guest_info()  # call-arg reportCallIssue
    stack.guest_info(guest_id="1", force=True)  # call-arg reportCallIssue
    stack.guest_create({"name": "typed"})  # arg-type reportArgumentType
    stack.guest_list(fields=1)  # arg-type reportArgumentType
    number: int = stack.guest_info("1")  # assignment reportAssignmentType
    guest.memroy  # attr-defined reportAttributeAccessIssue
    guest.memory = 42  # misc reportAttributeAccessIssue
    guest.ip.split(".")  # union-attr reportOptionalMemberAccess
    GuestCreate(name="typed", memroy=64)  # call-arg reportCallIssue
    GuestCreate(name="typed", memory="64")  # arg-type reportArgumentType
    EntityNotFound("Guest")  # call-arg reportCallIssue
    guests.guest_info(guest, "1")  # arg-type reportArgumentType
    simplestack_consumer.plugin.nmae  # attr-defined reportAttributeAccessIssue
    HypervisorPlugin(
        name="consumer",
        title="Cupboard",
        settings=HypervisorSettings,
        connect=connect,  # arg-type reportArgumentType
        disconnect=print,
        hooks=guests,  # arg-type reportArgumentType
    )
    HypervisorPlugin(name="consumer", title="Cupboard")  # call-arg reportCallIssue
