"""Settings of the plugin: ``[hypervisors.xen]``. The docstrings of the members are the reference."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from simplestack import AbsolutePath, HypervisorSettings

Fingerprint = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{64}\Z")]


class XenSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to trust the hosts, and defaults for guests."""

    #: Whether the hosts' certificates are verified. Turning it off lets anybody between here and there read
    #: passwords and change guests.
    tls_verify: bool = True
    #: File (PEM) with the certificates of those who may vouch for hosts. Without it the system's are used.
    tls_ca_file: AbsolutePath | None = None
    #: SHA-256 of a host's own certificate, 64 hexadecimal digits; or a list of those of all hosts of a pool,
    #: which send imports and exports to one another. Where it is set, these certificates are trusted and no
    #: others, whoever signed them: for hosts that have signed their own.
    tls_fingerprint: Fingerprint | list[Fingerprint] | None = None
    #: Name or UUID of the storage repository for new disks and imports that name none. Else the pool's
    #: default one, or where it has none the one with most room.
    default_storage: str | None = None
    #: How long a guest that was asked to shut down or to reboot may take.
    shutdown_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 40


def warnings(settings: XenSettings) -> list[str]:
    """Say what an operator should know when the service starts."""
    lines = []
    if not settings.tls_verify and settings.tls_fingerprint is None:
        lines.append(
            "tls_verify is off: anybody on the way to the hosts can read passwords and change guests"
        )
    if settings.tls_ca_file is not None and not Path(settings.tls_ca_file).is_file():
        lines.append(f"tls_ca_file: {settings.tls_ca_file} is not a file; no host can be verified")
    return lines
