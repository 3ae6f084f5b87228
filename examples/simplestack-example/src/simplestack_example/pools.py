"""Hook of the lab as a whole."""

from simplestack import MIB, Pool, hookimpl
from simplestack_example.lab import Lab

TOTAL_MEMORY_MIB = 8192


@hookimpl
def pool_info(session: Lab) -> Pool:
    """Show how much of the lab's memory its running machines take."""
    used_bytes = sum(machine.memory_bytes for machine in session.machines().values() if machine.is_on)
    return Pool(
        id="lab",
        uuid="lab",
        master=session.address,
        used_memory=used_bytes // MIB,
        total_memory=TOTAL_MEMORY_MIB,
        software_info={"version": "1.0"},
    )
