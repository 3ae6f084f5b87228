"""Settings of fault injection: ``[services.fault_injection]``."""

from typing import Annotated

from msgspec import Meta

from simplestack import ServiceSettings
from simplestack.fault_injection.rules import MAX_RULES, Rule


class FaultInjectionSettings(ServiceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of fault injection. They require ``fault_injection`` in `server.services`."""

    #: SQLite file with the rules and the counts of calls, created if it does not exist. All services and
    #: tests with the same file share its rules. Do not use a network file system. Required.
    file: str
    #: Rules of a new file.
    rules: Annotated[list[Rule], Meta(max_length=MAX_RULES)] = []  # noqa: RUF012  msgspec gives each its own copy


def warnings(settings: FaultInjectionSettings) -> list[str]:
    """Warn that fault injection is on."""
    line = (
        f"FAULT INJECTION IS ON, with rules in {settings.file}: every client of this service can make "
        "operations of every hypervisor fail. In production, remove it from server.services"
    )
    return [line]
