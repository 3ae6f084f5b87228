"""A pretend hypervisor, in place of the SDK that a vendor publishes. It knows nothing of Simplestack.

A machine is on while a file with its id exists, so all worker processes of a service see the same lab.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path

MEMORY_BYTES = {"web": 512 * 1024**2, "database": 2048 * 1024**2}


class LabError(Exception):
    """What the lab refuses to do. ``code`` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Machine:
    """A machine as the lab shows it."""

    uuid: str
    name: str
    memory_bytes: int
    is_on: bool


class Lab:
    """A connection to the lab at one address."""

    def __init__(self, address: str, directory: Path) -> None:
        self.address = address
        self._directory = directory / address
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def machines(self) -> dict[str, Machine]:
        """Return all machines by their id."""
        found = {}
        for name, memory_bytes in MEMORY_BYTES.items():
            machine_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{self.address}"))
            is_on = (self._directory / machine_id).exists()
            found[machine_id] = Machine(machine_id, name, memory_bytes, is_on)
        return found

    def power_on(self, machine: Machine) -> None:
        """Switch a machine on."""
        try:
            (self._directory / machine.uuid).touch(exist_ok=False)
        except FileExistsError:
            raise LabError("ALREADY_ON", f"{machine.name} is on") from None

    def power_off(self, machine: Machine) -> None:
        """Switch a machine off."""
        try:
            (self._directory / machine.uuid).unlink()
        except FileNotFoundError:
            raise LabError("ALREADY_OFF", f"{machine.name} is off") from None
