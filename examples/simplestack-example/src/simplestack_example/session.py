"""Connecting to the lab, and what its errors mean."""

from pathlib import Path

from simplestack import (
    Credentials,
    HypervisorError,
    HypervisorSettings,
    HypervisorUnavailable,
    SimplestackError,
    Target,
    check_account,
)
from simplestack_example.lab import Lab, LabError


class ExampleSettings(HypervisorSettings, frozen=True, kw_only=True):
    """Settings of the plugin: ``[hypervisors.example]``."""

    #: Where the lab keeps its state.
    directory: str = "~/.local/state/simplestack/example"
    #: Password hashes by user, made by ``simplestack hash-password``. Nobody may connect without any.
    accounts: dict[str, str] = {}  # noqa: RUF012  msgspec gives each its own copy


def connect(target: Target, credentials: Credentials, settings: ExampleSettings) -> Lab:
    """Connect to the lab that a request names.

    The lab checks no passwords, so the plugin does. Otherwise whoever reaches the service could use it.
    """
    check_account(settings.accounts, credentials)
    return Lab(str(target), Path(settings.directory).expanduser())


def disconnect(_session: Lab) -> None:
    """Nothing to do: the lab keeps no connection."""


def translate(error: Exception) -> SimplestackError | None:
    """Say what an error of the lab means to a client; None is a defect: clients get 500."""
    if isinstance(error, LabError):
        return HypervisorError(f"the lab refused: {error}", error.code)
    if isinstance(error, OSError):
        return HypervisorUnavailable(f"the lab's directory cannot be used: {error.strerror}")
    return None


def warnings(settings: ExampleSettings) -> list[str]:
    """Tell the operator, when the service starts, why nobody can log in."""
    if settings.accounts:
        return []
    return ["hypervisors.example.accounts is empty: every request gets 401"]
