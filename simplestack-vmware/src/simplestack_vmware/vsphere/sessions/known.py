"""Which VMs the guests are that were looked up: a known guest costs one round trip, a new one two."""

import threading

from simplestack_vmware.vsphere.connection.refs import Ref

_MAX_KNOWN = 4096


class KnownVms:
    """Managed objects by instance UUID. Whoever uses one compares the UUID that it has then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refs: dict[str, Ref] = {}

    def get(self, instance_uuid: str) -> Ref | None:
        """Return the VM that had this UUID when it was looked up, or None."""
        return self._refs.get(instance_uuid)

    def remember(self, instance_uuid: str, ref: Ref) -> None:
        """Remember which VM has a UUID."""
        with self._lock:
            if len(self._refs) >= _MAX_KNOWN:
                self._refs.clear()
            self._refs[instance_uuid] = ref

    def forget(self, instance_uuid: str) -> None:
        """Forget a VM that does not have the UUID any more."""
        with self._lock:
            self._refs.pop(instance_uuid, None)
