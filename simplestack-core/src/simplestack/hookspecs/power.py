"""Start, stop, pause, resume and reboot guests."""

from typing import Any

from simplestack.markers import hookspec


@hookspec(firstresult=True)
def guest_start(session: Any, guest_id: str) -> None:
    """Start a stopped guest (``{"state": "start"}``).

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest to start is not stopped
    """


@hookspec(firstresult=True)
def guest_shutdown(session: Any, guest_id: str, force: bool) -> None:
    """Stop a guest, and return when it has stopped (``stop``, or ``force_stop`` with `force`).

    ``stop`` asks the guest's operating system to shut down. ``force_stop`` cuts the power of a started or
    paused guest.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest to stop is stopped already, or it is paused and `force` is not set
    :raises OperationTimeout: the guest did not stop in time
    """


@hookspec(firstresult=True)
def guest_suspend(session: Any, guest_id: str) -> None:
    """Pause a running guest (``pause``).

    The hypervisor keeps its memory in RAM or writes it to disk.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest to pause is not running
    """


@hookspec(firstresult=True)
def guest_resume(session: Any, guest_id: str) -> None:
    """Resume a paused guest (``resume``).

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest to resume is not paused
    """


@hookspec(firstresult=True)
def guest_reboot(session: Any, guest_id: str, force: bool) -> None:
    """Ask the operating system of a running guest to reboot, or reset the guest with `force`.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest is not running
    """
