"""What a simulator's VMs have."""

from typing import Any


def disks(session: Any, vm: str) -> list[str]:
    """Return the disks of a VM, the first device's first."""
    drives = [session.xenapi.VBD.get_record(ref) for ref in session.xenapi.VM.get_VBDs(vm)]
    return [found["VDI"] for found in sorted(drives, key=lambda found: found["userdevice"])]


def macs(session: Any, vm: str) -> list[str]:
    """Return the addresses of a VM's interfaces."""
    return [session.xenapi.VIF.get_MAC(ref) for ref in session.xenapi.VM.get_VIFs(vm)]
