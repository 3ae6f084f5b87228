"""Settings of fault injection: ``[services.fault_injection]``."""

from simplestack import ServiceSettings
from simplestack.fault_injection.rules import Rule


class FaultInjectionSettings(ServiceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of fault injection, which works while `server.services` names ``fault_injection``."""

    #: The SQLite file with rules and counts of calls; made where there is none. All services and tests that
    #: name the same file share its rules. Do not put it on a network file system. Required.
    file: str
    #: Rules that a new file begins with.
    rules: list[Rule] = []  # noqa: RUF012  msgspec gives each its own copy


def warnings(settings: FaultInjectionSettings) -> list[str]:
    """Say that it is on."""
    line = (
        f"FAULT INJECTION IS ON, with rules in {settings.file}: whoever reaches this service can make "
        "operations of every hypervisor fail. In production, leave it out of server.services"
    )
    return [line]
