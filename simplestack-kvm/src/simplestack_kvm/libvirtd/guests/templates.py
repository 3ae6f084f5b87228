"""Templates: guests that are only copied. They are in no list of guests, and do not start.

The flag is in the metadata of the domain. libvirt tells metadata of one domain at a time, which would make a
list of guests a round trip longer for each of them. So a template has a mark, too, which one call lists for
the whole host: a secret without a value, whose usage names the UUID of the domain. A guest with either of the
two does not start. What is between two steps when a service dies is thus a guest that is listed and does not
start, until `template` is set again.
"""

import logging
import uuid
import xml.etree.ElementTree as ET
from typing import Any

from simplestack import GuestState, InvalidState, require_state, warn
from simplestack_kvm.errors import is_error
from simplestack_kvm.libvirtd.changes.undo import Step
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import state_of
from simplestack_kvm.sdk import libvirt

#: The XML namespace of the flag.
FLAG = "urn:simplestack:kvm:template"
_USAGE = "simplestack-template:"
#: A mark has the same UUID whoever makes it, so that making it twice changes nothing.
_MARKS = uuid.UUID("5b1d3a52-58a9-4cb5-9d5e-6f5f0f6c8a11")

_log = logging.getLogger(__name__)


def template_ids(session: KvmSession) -> frozenset[str]:
    """Return the UUIDs that have a mark, with those of domains that are gone: one round trip."""
    try:
        secrets = session.connection.listAllSecrets()
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_ACCESS_DENIED):
            raise
        return frozenset()  # then nobody could make a mark
    usages = [secret.usageID() for secret in secrets]
    return frozenset(usage.removeprefix(_USAGE) for usage in usages if usage.startswith(_USAGE))


def reject_template(session: KvmSession, domain: "libvirt.virDomain", attempt: str) -> None:
    """Reject what makes a guest run.

    :param attempt: what was tried with it, such as ``start``
    :raises InvalidState: the guest is a template
    """
    if _has_mark(session, domain) or _has_flag(domain):
        raise InvalidState.of_template(f"{attempt} guest {domain.name()!r}")


def setting(session: KvmSession, domain: "libvirt.virDomain", *, template: bool) -> list[Step]:
    """Return the step that makes a guest a template, or a template a guest; none where it is one already.

    :raises InvalidState: the guest is not stopped, so that it cannot become a template
    """
    had_flag, had_mark = _has_flag(domain), _has_mark(session, domain)
    if template and not (had_flag and had_mark):
        return [_making_template(session, domain, had_flag=had_flag, had_mark=had_mark)]
    if not template and (had_flag or had_mark):
        return [
            Step(
                apply=lambda: _unset(session, domain),
                undo=lambda: _set(session, domain),
                undoing="making the guest a template again",
            )
        ]
    return []


def forget_template(session: KvmSession, guest_id: str) -> None:
    """Remove the mark of a guest that is deleted. What stays is no reason to fail: no domain has the UUID."""
    try:
        remove_mark(session, guest_id)
    except libvirt.libvirtError:
        _log.warning("the mark of a deleted template stays", exc_info=True)


def remove_mark(session: KvmSession, guest_id: str) -> None:
    """Remove a mark, if it is there."""
    try:
        _mark(session, guest_id).undefine()
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_SECRET, libvirt.VIR_ERR_NO_SUPPORT):
            raise


def make_guest(document: ET.Element) -> None:
    """Remove the flag from the description of a copy."""
    for metadata in document.iterfind("metadata"):
        for flag in metadata.findall(f"{{{FLAG}}}*"):
            metadata.remove(flag)


def _making_template(
    session: KvmSession, domain: "libvirt.virDomain", *, had_flag: bool, had_mark: bool
) -> Step:
    _require_stopped(domain)
    starts_with_host = domain.autostart()

    def apply() -> None:
        if starts_with_host:
            domain.setAutostart(0)
        _remove_lost_marks(session)
        _set(session, domain)
        _require_stopped(domain)  # it may have been started meanwhile
        if starts_with_host:
            warn("the guest no longer starts together with its host")

    def undo() -> None:
        if not had_mark:
            remove_mark(session, domain.UUIDString())
        if not had_flag:
            _remove_flag(domain)
        if starts_with_host:
            domain.setAutostart(1)

    return Step(apply=apply, undo=undo, undoing="making the template a guest again")


def _require_stopped(domain: "libvirt.virDomain") -> None:
    require_state(state_of(domain), GuestState.STOPPED, attempt=f"make guest {domain.name()!r} a template")


def _set(session: KvmSession, domain: "libvirt.virDomain") -> None:
    """Set the flag, then the mark: a guest that is not listed does not start."""
    _write_flag(domain, "<template/>")
    guest_id = domain.UUIDString()
    secret = ET.Element("secret", ephemeral="no", private="yes")
    ET.SubElement(secret, "uuid").text = str(uuid.uuid5(_MARKS, guest_id))
    ET.SubElement(
        secret, "description"
    ).text = f"Simplestack: guest {guest_id} is a template. This secret has no value."
    usage = ET.SubElement(secret, "usage", type="tls")
    ET.SubElement(usage, "name").text = _USAGE + guest_id
    try:
        session.connection.secretDefineXML(ET.tostring(secret, encoding="unicode"))
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_SUPPORT):
            raise
        raise NotImplementedError(
            "the host's libvirt keeps no secrets, which Simplestack marks templates with: install its driver "
            "for secrets"
        ) from None


def _remove_lost_marks(session: KvmSession) -> None:
    """Remove the marks of templates that another tool has deleted."""
    marked = template_ids(session)  # first: what is marked from now on is there
    existing = {domain.UUIDString() for domain in session.connection.listAllDomains()}
    for guest_id in marked - existing:
        if _is_gone(session, guest_id):
            remove_mark(session, guest_id)


def _is_gone(session: KvmSession, guest_id: str) -> bool:
    """Tell whether a guest does not exist. Lists leave out guests that libvirt hides from the user."""
    try:
        session.connection.lookupByUUIDString(guest_id)
    except libvirt.libvirtError as error:
        return is_error(error, libvirt.VIR_ERR_NO_DOMAIN)
    return False


def _unset(session: KvmSession, domain: "libvirt.virDomain") -> None:
    remove_mark(session, domain.UUIDString())
    _remove_flag(domain)


def _remove_flag(domain: "libvirt.virDomain") -> None:
    if _has_flag(domain):
        _write_flag(domain, None)


def _write_flag(domain: "libvirt.virDomain", text: Any) -> None:
    """Replace the element of the flag; None removes it."""
    kind, flags = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_CONFIG
    domain.setMetadata(kind, text, "simplestack-template", FLAG, flags)


def _has_flag(domain: "libvirt.virDomain") -> bool:
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0
    try:
        domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, FLAG, flags)
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_DOMAIN_METADATA):
            raise
        return False
    return True


def _has_mark(session: KvmSession, domain: "libvirt.virDomain") -> bool:
    try:
        _mark(session, domain.UUIDString())
    except libvirt.libvirtError as error:
        if not is_error(
            error, libvirt.VIR_ERR_NO_SECRET, libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_ACCESS_DENIED
        ):
            raise
        return False
    return True


def _mark(session: KvmSession, guest_id: str) -> "libvirt.virSecret":
    return session.connection.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_TLS, _USAGE + guest_id)
