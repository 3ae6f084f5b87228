"""Which version of the API to speak: the latest one that the host and pyvmomi both have.

pyvmomi's default is 5.5: newer fields would silently not be sent.
"""

from simplestack import parse_xml
from simplestack_vmware.sdk import VmomiSupport

#: Lists the versions of a host. It needs no session.
PATH = "/sdk/vimServiceVersions.xml"
_SERVICE = "vim25"


def from_document(document: bytes) -> str | None:
    """Return pyvmomi's name of the latest common version, or None if there is none.

    :param document: the host's list
    :raises HypervisorError: it is not XML
    """
    root = parse_xml(document.decode(errors="replace"), "vSphere's list of versions")
    spaces = [each for each in root.findall("namespace") if each.findtext("name") == f"urn:{_SERVICE}"]
    ids = {version.text for space in spaces for version in space.iter("version") if version.text}
    return next((name for name in _versions() if VmomiSupport.versionIdMap[name] in ids), None)


def from_number(number: str) -> str:
    """Return pyvmomi's name of the latest version up to ``about.apiVersion``."""
    wanted = _key(number)
    known = [name for name in _versions() if _key(VmomiSupport.versionIdMap[name])]
    return next((name for name in known if _key(VmomiSupport.versionIdMap[name]) <= wanted), known[-1])


def number_of(version: str) -> str:
    """Return the number of a version, such as ``8.0.3.0``."""
    return str(VmomiSupport.versionIdMap[version])


def is_at_least(version: str, number: str) -> bool:
    """Return whether a version has what came with the version of a number."""
    return _key(number_of(version)) >= _key(number)


def _versions() -> list[str]:
    """Return pyvmomi's versions, the latest first."""
    return [name for name in VmomiSupport.GetServiceVersions(_SERVICE) if name.startswith("vim.")]


def _key(number: str) -> tuple[int, ...]:
    """Return a sort key; empty for those with letters."""
    parts = number.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()
