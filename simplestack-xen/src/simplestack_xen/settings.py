"""Settings of the plugin: ``[hypervisors.xen]``. The comments of the fields are the reference."""

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from simplestack import AbsolutePath, HypervisorSettings

#: Not a pattern of the type: msgspec 0.22 crashes when it frees a union of such a type and a list of it.
_FINGERPRINT = re.compile("[0-9a-fA-F]{64}")


class XenSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS of the hosts, and defaults for guests."""

    #: Verify the TLS certificates of hosts. Without verification, an attacker in the network can read
    #: passwords and change guests.
    tls_verify: bool = True
    #: PEM file with the certificates of trusted authorities. Default: the system's.
    tls_ca_file: AbsolutePath | None = None
    #: SHA-256 fingerprint of a host's certificate, 64 hexadecimal digits; or a list with the fingerprints of
    #: all hosts of a pool, which redirect imports and exports to each other. If it is set, only these
    #: certificates are trusted. Use it for self-signed certificates.
    tls_fingerprint: str | list[str] | None = None
    #: Name or UUID of the storage repository for new disks and imports if the request names none. Default:
    #: the pool's default repository, else the one with the most free space.
    default_storage: str | None = None
    #: How long a guest may take to shut down or to reboot.
    shutdown_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 40

    def __post_init__(self) -> None:
        """Check that fingerprints are some."""
        for each in self.trusted_fingerprints or []:
            if not _FINGERPRINT.fullmatch(each):
                raise ValueError(
                    f"tls_fingerprint: {each[:80]!r} is not 64 hexadecimal digits without colons"
                )

    @property
    def trusted_fingerprints(self) -> list[str] | None:
        """The fingerprints in `tls_fingerprint`, None if it is not set."""
        return [self.tls_fingerprint] if isinstance(self.tls_fingerprint, str) else self.tls_fingerprint


def warnings(settings: XenSettings) -> list[str]:
    """Return the warnings that the service logs when it starts."""
    lines = []
    if not settings.tls_verify and settings.tls_fingerprint is None:
        lines.append("tls_verify is off: an attacker in the network can read passwords and change guests")
    if settings.tls_ca_file is not None and not Path(settings.tls_ca_file).is_file():
        lines.append(f"tls_ca_file: {settings.tls_ca_file} is not a file, so no certificate can be verified")
    return lines
