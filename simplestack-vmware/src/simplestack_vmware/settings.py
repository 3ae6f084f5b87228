"""Settings of the plugin: ``[hypervisors.vmware]``. The comments of the fields are the reference."""

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from simplestack import AbsolutePath, HypervisorSettings

#: Not a pattern of the type: msgspec 0.22 crashes when it frees a union of such a type and a list of it.
_FINGERPRINT = re.compile("[0-9a-fA-F]{64}")
#: vCenter ends sessions that have been idle for this time.
_VCENTER_IDLE_SECONDS = 1800


class VmwareSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS of the hosts, the cluster that is the pool, and time limits."""

    #: Port of hosts whose URL has none.
    port: Annotated[int, Meta(ge=1, le=65535)] = 443
    #: Verify the TLS certificates of hosts. Without verification, an attacker in the network can read
    #: passwords and change guests.
    tls_verify: bool = True
    #: PEM file with the certificates of trusted authorities. Default: the system's.
    tls_ca_file: AbsolutePath | None = None
    #: SHA-256 fingerprint of a host's certificate, 64 hexadecimal digits; or a list of them. If it is set,
    #: only these certificates are trusted. Use it for self-signed certificates.
    tls_fingerprint: str | list[str] | None = None
    #: Name or ID of the cluster of a vCenter that is the pool. Default: all clusters are.
    cluster: str | None = None
    #: How long a guest may take to shut down.
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


def warnings(settings: VmwareSettings) -> list[str]:
    """Return the warnings that the service logs when it starts."""
    lines = []
    if not settings.tls_verify and settings.tls_fingerprint is None:
        lines.append("tls_verify is off: an attacker in the network can read passwords and change guests")
    if settings.tls_ca_file is not None and not Path(settings.tls_ca_file).is_file():
        lines.append(f"tls_ca_file: {settings.tls_ca_file} is not a file, so no certificate can be verified")
    if settings.idle_timeout_seconds >= _VCENTER_IDLE_SECONDS:
        lines.append(
            f"idle_timeout_seconds is {settings.idle_timeout_seconds:g}: vCenter ends idle sessions after "
            f"{_VCENTER_IDLE_SECONDS} s, so set less"
        )
    return lines
