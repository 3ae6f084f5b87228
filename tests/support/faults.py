"""A service with fault injection, and rules for it."""

from pathlib import Path
from typing import Any

from support.service import Answer, Service

RULES = "/_fault_injection/rules"


def settings(file: str | Path, more: str = "") -> str:
    """Return the settings of a service with fault injection.

    :param file: where the rules are
    :param more: settings of the mock
    """
    return (
        "[server]\nworkers = 2\nservices = ['fault_injection']\n"
        f"[services.fault_injection]\nfile = '{file}'\n[hypervisors.mock]\n{more}"
    )


def add_rule(service: Service, **fields: Any) -> Answer:
    """Set a rule."""
    made = service.post(RULES, fields)
    assert made.status == 201, made
    return made


def guests(service: Service, host: str) -> Answer:
    """List the guests of a host of the mock."""
    return service.get(f"/mock/{host}/guests")


def stopped(service: Service, host: str) -> str:
    """Return the path of a guest of the mock that is off."""
    found = [guest["id"] for guest in guests(service, host).json if guest["state"] == "STOPPED"]
    return f"/mock/{host}/guests/{found[0]}"
