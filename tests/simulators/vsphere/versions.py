"""API versions: which one a client asks for, and what belongs to it."""

from functools import cache
from xml.sax.saxutils import escape

from pyVmomi import vmodl

from simulators.vsphere.schema import TABLES

_SERVICE = "vim25"
#: What clients get that ask for no version, as from every vSphere.
_LEGACY = "2.5u2"
#: govmomi asks for ``urn:vim25/7.0`` until it knows better, which is version 7.0.0.0.
_ALIASES = {"7.0": "7.0.0.0", "8.0": "8.0.0.0"}


class UnsupportedVersion(Exception):
    """The server does not have an API version."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.fault = vmodl.fault.InvalidRequest(
            msg=f'Unsupported version URI "{uri}"\n\nwhile parsing SOAP header'
        )


def find_version(identifier: str) -> str:
    """Return the tables' name of an API version such as ``8.0.1.0``.

    :raises KeyError: there is no such version
    """
    name: str = TABLES.versionMap[f"{_SERVICE}/{identifier}"]
    return name


def includes(version: str, since: str) -> bool:
    """Return whether a version has what was introduced in another one."""
    return since in TABLES.parentMap[version]


def negotiate(soap_action: str, newest: str) -> str:
    """Return the version that a client asks for with ``SOAPAction: urn:vim25/8.0.1.0``.

    :param newest: the newest version that the server has
    :raises UnsupportedVersion: the server does not have the version
    """
    uri = soap_action.strip().strip('"') or f"urn:{_SERVICE}"
    service, _, identifier = uri.removeprefix("urn:").partition("/")
    try:
        version = find_version(_ALIASES.get(identifier, identifier) or _LEGACY)
    except KeyError:
        version = ""
    if service != _SERVICE or not version or not includes(newest, version):
        raise UnsupportedVersion(uri)
    return version


@cache
def service_versions(newest: str) -> bytes:
    """Return ``vimServiceVersions.xml``: the newest version and all before it, the newest first."""
    identifiers = [
        identifier
        for version in TABLES.GetServiceVersions(_SERVICE)
        if includes(newest, version) and (identifier := TABLES.versionIdMap[version])
    ]
    prior = "".join(f"<version>{escape(found)}</version>" for found in identifiers[1:])
    return (
        '<?xml version="1.0" encoding="UTF-8" ?>\n<namespaces version="1.0"><namespace>'
        f"<name>urn:{_SERVICE}</name><version>{escape(identifiers[0])}</version>"
        f"<priorVersions>{prior}</priorVersions></namespace></namespaces>\n"
    ).encode()
