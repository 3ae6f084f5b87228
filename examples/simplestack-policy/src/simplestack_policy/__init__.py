"""A policy: guests with a certain tag are never deleted, and others only at certain times of the day."""

from collections.abc import Generator, Mapping
from datetime import datetime, time
from typing import Annotated, Any

from msgspec import Meta

from simplestack import CallContext, PermissionDenied, ServicePlugin, ServiceSettings, hookimpl

#: Without a time zone of its own, with which it could not be compared to the time of the service.
TimeOfDay = Annotated[time, Meta(tz=False)]


class PolicySettings(ServiceSettings, frozen=True, kw_only=True):
    """Settings of the plugin: ``[services.policy]``."""

    #: Guests with this tag cannot be deleted.
    protected_tag: str = "protected"
    #: Guests can be deleted from this time of the day on, in the time zone of the service.
    delete_from: TimeOfDay = time(0)
    #: Guests can be deleted until this time. The same time as `delete_from` allows the whole day.
    delete_until: TimeOfDay = time(0)


class Policy:
    """The hooks of the plugin."""

    def __init__(self, settings: PolicySettings) -> None:
        """Keep the settings."""
        self._settings = settings

    @hookimpl(wrapper=True)
    def operation_call(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext
    ) -> Generator[None, Any, Any]:
        """Reject the deletion of a guest where the policy forbids it."""
        if operation == "guest_delete":
            guest_id, tag = arguments["guest_id"], self._settings.protected_tag
            start, end = self._settings.delete_from, self._settings.delete_until
            if not is_between(start, datetime.now().astimezone().time(), end):
                raise PermissionDenied(f"guests can be deleted from {start} until {end} only: try again then")
            # The policy looks with the rights of the caller, before the operation begins.
            if tag in context.call("tag_list", guest_id=guest_id):
                raise PermissionDenied(f"guest {guest_id} is tagged {tag!r}: remove the tag first")
        return (yield)


def is_between(start: time, now: time, end: time) -> bool:
    """Tell whether a time of the day is in a window, which may include midnight."""
    return start <= now < end if start < end else now >= start or now < end


plugin = ServicePlugin(name="policy", title="Rules for deletions", settings=PolicySettings, make=Policy)
