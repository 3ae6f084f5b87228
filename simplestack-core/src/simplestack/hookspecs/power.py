"""Hooks of power: one each for the wire's ``PUT power`` states, and for ``PUT reboot``."""

from typing import Any

from simplestack.markers import hookspec


@hookspec(firstresult=True)
def guest_start(session: Any, guest_id: str) -> None:
    """Start a stopped guest (``{"state": "start"}``).

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: it is not stopped
    """


@hookspec(firstresult=True)
def guest_shutdown(session: Any, guest_id: str, force: bool) -> None:
    """Stop a guest, and return when it has stopped (``stop``; with `force`, ``force_stop``).

    Without `force` its operating system is asked to shut down. With it the power is cut, which works in any
    state but stopped.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: it is stopped already, or paused and not `force`
    :raises OperationTimeout: the guest did not stop in time
    """


@hookspec(firstresult=True)
def guest_suspend(session: Any, guest_id: str) -> None:
    """Pause a running guest (``pause``); whether in memory or to disk is the hypervisor's habit.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: it is not running
    """


@hookspec(firstresult=True)
def guest_resume(session: Any, guest_id: str) -> None:
    """Let a paused guest go on (``resume``).

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: it is not paused
    """


@hookspec(firstresult=True)
def guest_reboot(session: Any, guest_id: str, force: bool) -> None:
    """Reboot a running guest: ask its operating system, or reset it with `force`.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: it is not running
    """
