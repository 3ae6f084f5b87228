"""The host that a session reaches."""

from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession


def host_id_of(session: KvmSession) -> str:
    """Return the UUID that libvirt has for the host: the firmware's, or ``host_uuid`` in libvirtd.conf."""
    return parse_document(session.connection.getCapabilities()).findtext("host/uuid", "").lower()
