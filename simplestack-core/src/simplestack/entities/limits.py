"""Limits and units that several entities share, and the conversions between units."""

import re
from typing import Annotated, Literal

from msgspec import Meta

MIB = 1024**2
GIB = 1024**3

#: 64 TiB, the largest memory and the largest disk that any of the hypervisors supports.
MAX_MEMORY_MIB = 64 * 1024**2
MAX_DISK_GIB = 64 * 1024
MAX_CPUS = 4096
MAX_RATE_BITS = 10**12

#: The control characters, as a set in a regular expression has them.
_CONTROL = r"\x00-\x1f\x7f"
CONTROL_CHARACTER = re.compile(f"[{_CONTROL}]")
NAME_PATTERN = rf"\A[^{_CONTROL}]+\Z"
NAME_OR_EMPTY_PATTERN = rf"\A[^{_CONTROL}]*\Z"
# `$` would match before a newline at the end, too; the rest rejects that.
PATH_NAME_PATTERN = rf"\A(?!\.{{1,2}}$)[^{_CONTROL}]+\Z"
_ABSOLUTE_PATH = rf"\A/[^{_CONTROL}]+\Z"
MAC_PATTERN = r"\A[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\Z"
TEXT_PATTERN = r"\A[^\x00-\x08\x0b-\x1f\x7f]+\Z"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: RFC 1123, section 2.1.
HOST_NAME_PATTERN = rf"\A{_LABEL}(\.{_LABEL})*\Z"
#: What the patterns accept, in words for messages.
_PATTERN_WORDS = {
    NAME_PATTERN: "a string without control characters",
    NAME_OR_EMPTY_PATTERN: "a string without control characters",
    PATH_NAME_PATTERN: "a string without control characters, other than `.` and `..`",
    _ABSOLUTE_PATH: "an absolute path without control characters, such as `/etc/ssl/ca.pem`",
    MAC_PATTERN: "a MAC address such as `52:54:00:12:34:56`",
    TEXT_PATTERN: "text without control characters other than newline and tab",
    HOST_NAME_PATTERN: "a host name such as `web-1` or `web-1.example.com`",
}


def _matching(
    pattern: str,
    min_length: int | None = None,
    max_length: int | None = None,
    *,
    is_secret: bool = False,
    file: Literal["", "shared", "private"] = "",
) -> Meta:
    """Describe text that matches a pattern, with the words for the error message.

    :param is_secret: whether messages and `repr` must not show it
    :param file: whether it is the path of a file that the service reads, and whether others may read it, too
    """
    words = {"words": _PATTERN_WORDS[pattern], "secret": is_secret, "file": file}
    return Meta(pattern=pattern, min_length=min_length, max_length=max_length, extra=words)


#: The name of a thing: 1 to 255 characters, none of them a control character.
Name = Annotated[str, _matching(NAME_PATTERN, min_length=1, max_length=255)]
#: A name that becomes a segment of a path: not `.` or `..`, which HTTP clients resolve before they send it.
PathName = Annotated[str, _matching(PATH_NAME_PATTERN, min_length=1, max_length=255)]
#: The name of a file such as an ISO image, or an empty string for none.
NameOrEmpty = Annotated[str, _matching(NAME_OR_EMPTY_PATTERN, max_length=1024)]
#: An absolute path, in settings.
AbsolutePath = Annotated[str, _matching(_ABSOLUTE_PATH)]
#: The absolute path of a file that the plugin reads, in settings.
ReadableFile = Annotated[str, _matching(_ABSOLUTE_PATH, file="shared")]
#: The same of a file that nobody else should read, such as a private key.
PrivateFile = Annotated[str, _matching(_ABSOLUTE_PATH, file="private")]
#: A host name, with or without its domain.
HostName = Annotated[str, _matching(HOST_NAME_PATTERN, max_length=253)]
#: A line of ``authorized_keys``.
SshKey = Annotated[str, _matching(NAME_PATTERN, min_length=1, max_length=8192)]
#: The lines of a file that may have passwords in it.
SecretText = Annotated[str, _matching(TEXT_PATTERN, min_length=1, max_length=65536, is_secret=True)]
#: Free text that is shown to people.
Description = Annotated[str, Meta(max_length=4096)]
#: Memory in MiB.
MemoryMiB = Annotated[int, Meta(ge=1, le=MAX_MEMORY_MIB, extra={"words": "a whole number of MiB"})]
#: Size of a disk in GiB. Fractions are allowed.
SizeGiB = Annotated[float, Meta(gt=0, le=MAX_DISK_GIB, extra={"words": "a number of GiB"})]
#: Virtual CPUs.
Cpus = Annotated[int, Meta(ge=1, le=MAX_CPUS)]
#: A unicast or multicast MAC address, six octets with colons.
Mac = Annotated[str, _matching(MAC_PATTERN)]


def gib(size_bytes: int) -> float:
    """Convert bytes to GiB. Whole numbers are ints, so 10 GiB is ``10`` in JSON, not ``10.0``."""
    whole, rest = divmod(size_bytes, GIB)
    return whole if rest == 0 else size_bytes / GIB


def gib_to_bytes(size_gib: float) -> int:
    """Convert GiB to bytes, rounded up to a whole 512-byte sector."""
    return -(-round(size_gib * GIB) // 512) * 512
