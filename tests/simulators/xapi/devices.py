"""What VMs are furnished with: disks, the drives that they are in, and interfaces."""

from msgspec import Struct

from simulators.xapi.drives import Drives
from simulators.xapi.networking import Networking
from simulators.xapi.storage import Storage


class Devices(Struct, frozen=True):
    """Who makes them."""

    storage: Storage
    drives: Drives
    networking: Networking
