"""The operating systems in VMs: they start and stop later than the calls that ask for it.

``POST /simulator/guests`` sets what a guest does, and whether all of them wait.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from pyVmomi import vim

from simulators.vsphere.data import make
from simulators.vsphere.database import Database, Object
from simulators.vsphere.inventory.devices import cards_of
from simulators.vsphere.inventory.guests import off_guest

State = vim.VirtualMachine.PowerState
_TOOLS_VERSION = 12_352


class Guests(Struct, kw_only=True, forbid_unknown_fields=True):
    """What can be set of guests while the simulator runs."""

    #: The VM's name, for the options of one guest.
    vm: str | None = None
    #: Whether VMware Tools are installed. Running tools start and end with this too.
    has_tools: bool | UnsetType = UNSET
    #: Whether the guest locks its CD drive, so that changing the medium needs an answer.
    locks_cd: bool | UnsetType = UNSET
    #: The ID of a message: the VM asks a question with it when it is next started or reconfigured.
    asks: str | UnsetType = UNSET
    #: Whether all guests wait instead of starting, stopping or rebooting.
    is_held: bool | UnsetType = UNSET


class GuestSystems:
    """The guests of all VMs. Whoever calls them holds the database's lock."""

    def __init__(self, database: Database, seconds: Callable[[], float]) -> None:
        """Begin with guests that run no longer than their VMs.

        :param seconds: returns how long a guest takes at least to start or to stop
        """
        #: By the question's ID, the answers that tasks have not seen yet.
        self.answers: dict[str, str] = {}
        self._database = database
        self._seconds = seconds
        self._is_held = False
        self._locking: set[str] = set()
        self._questions: dict[str, str] = {}
        #: Counts the starts and stops of each VM, so that what is late has no effect.
        self._epochs: dict[str, int] = {}

    def set(self, guests: Guests) -> None:
        """Change what guests do.

        :raises ValueError: there is no such VM, or it is not named
        """
        if guests.is_held is not UNSET:
            self._is_held = guests.is_held
            self._database.changes.notify_all()
        if {guests.has_tools, guests.locks_cd, guests.asks} == {UNSET}:
            return
        vm = next(
            (each for each in self._database.all(vim.VirtualMachine) if each["name"] == guests.vm), None
        )
        if vm is None:
            raise ValueError(f"there is no VM {guests.vm!r}")
        if guests.locks_cd is not UNSET:
            (self._locking.add if guests.locks_cd else self._locking.discard)(vm.id)
        if guests.asks is not UNSET:
            self._questions[vm.id] = guests.asks
        if guests.has_tools is not UNSET:
            vm["config"].tools.toolsVersion = _TOOLS_VERSION if guests.has_tools else 0
            self._show(vm, is_up=vm["runtime.powerState"] == State.poweredOn)

    def locks_cd(self, vm: Object) -> bool:
        """Return whether a guest that runs has locked its CD drive."""
        return vm.id in self._locking and vm["runtime.powerState"] == State.poweredOn

    def take_question(self, vm: Object) -> str | None:
        """Return the ID of the message that a VM is to ask with, once."""
        return self._questions.pop(vm.id, None)

    def start(self, vm: Object) -> None:
        """Start the guest: its tools run a while later."""
        vm["runtime.bootTime"] = datetime.now(UTC)
        self._show(vm, is_up=False)
        self.later(vm, lambda: self._show(vm, is_up=True))

    def stop(self, vm: Object) -> None:
        """Stop the guest at once."""
        self._next_epoch(vm)
        self._show(vm, is_up=False)

    def later(self, vm: Object, happen: Callable[[], None]) -> None:
        """Let something happen a while later, unless the VM starts, stops or is removed before.

        :param happen: called with the database locked
        """
        epoch = self._next_epoch(vm)

        def run() -> None:
            threading.Event().wait(self._seconds())
            with self._database.lock:
                self._database.changes.wait_for(lambda: not self._is_held)
                if self._epochs[vm.id] == epoch and self._database.find(vm.id) is vm:
                    happen()

        threading.Thread(target=run, daemon=True).start()

    def _next_epoch(self, vm: Object) -> int:
        self._epochs[vm.id] = self._epochs.get(vm.id, 0) + 1
        return self._epochs[vm.id]

    def _show(self, vm: Object, *, is_up: bool) -> None:
        if vm["config"].tools.toolsVersion == 0:
            vm["guest"] = _without_tools(is_up=is_up)
        else:
            vm["guest"] = _running(vm) if is_up else off_guest()
        has_tools = vm["guest.toolsRunningStatus"] == "guestToolsRunning"
        status = vim.ManagedEntity.Status
        vm["guestHeartbeatStatus"] = status.green if has_tools else status.gray


def _without_tools(*, is_up: bool) -> vim.vm.GuestInfo:
    info = off_guest()
    info.toolsStatus = vim.vm.GuestInfo.ToolsStatus.toolsNotInstalled
    info.toolsVersionStatus = info.toolsVersionStatus2 = "guestToolsNotInstalled"
    info.guestState = "unknown" if is_up else "notRunning"
    return info


def _running(vm: Object) -> vim.vm.GuestInfo:
    shown = [_card(card) for card in cards_of(vm["config"])]
    return make(
        vim.vm.GuestInfo,
        toolsStatus=vim.vm.GuestInfo.ToolsStatus.toolsOk,
        toolsVersionStatus="guestToolsUnmanaged",
        toolsVersionStatus2="guestToolsUnmanaged",
        toolsRunningStatus="guestToolsRunning",
        toolsVersion=str(vm["config.tools.toolsVersion"]),
        guestState="running",
        guestId=vm["config.guestId"],
        guestFamily="linuxGuest",
        guestFullName=vm["config.guestFullName"],
        hostName=vm["name"],
        net=shown,
        ipAddress=next((card.ipAddress[0] for card in shown), None),
        guestOperationsReady=True,
    )


def _card(card: Any) -> Any:
    address = f"198.51.100.{int(card.macAddress[-2:], 16)}"
    return make(
        vim.vm.GuestInfo.NicInfo,
        macAddress=card.macAddress,
        connected=bool(card.connectable and card.connectable.connected),
        deviceConfigId=card.key,
        ipAddress=[address],
    )
