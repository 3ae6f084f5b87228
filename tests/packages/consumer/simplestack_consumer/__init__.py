"""A third party's plugin: a cupboard of guests. It uses what plugins use, so that type checkers see it."""

from simplestack import (
    Credentials,
    HypervisorError,
    HypervisorPlugin,
    HypervisorSettings,
    SimplestackError,
    Target,
    check_account,
)
from simplestack_consumer import guests
from simplestack_consumer.cupboard import Cupboard, StuckDoor


class CupboardSettings(HypervisorSettings, frozen=True, kw_only=True):
    """Settings of the plugin."""

    shelves: int = 3
    accounts: dict[str, str] = {}  # noqa: RUF012  msgspec gives each its own copy


def connect(target: Target, credentials: Credentials, settings: CupboardSettings) -> Cupboard:
    """Open the cupboard."""
    check_account(settings.accounts, credentials)
    return Cupboard(f"{target}", settings.shelves)


def disconnect(session: Cupboard) -> None:
    """Close the cupboard."""
    session.guests.clear()


def translate(error: Exception) -> SimplestackError | None:
    """Say what an error means to a client."""
    return HypervisorError("the door is stuck", "DOOR") if isinstance(error, StuckDoor) else None


def warnings(settings: CupboardSettings) -> list[str]:
    """Tell the operator what is odd about the settings."""
    return [] if settings.accounts else ["there are no accounts"]


plugin = HypervisorPlugin(
    name="consumer",
    title="Cupboard",
    settings=CupboardSettings,
    connect=connect,
    disconnect=disconnect,
    translate=translate,
    warnings=warnings,
    hooks=(guests,),
)
