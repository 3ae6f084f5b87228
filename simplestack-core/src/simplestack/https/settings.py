"""Settings for TLS, of plugins with an API over HTTPS. The comments of the fields are the reference."""

import re

from simplestack.config.settings import HypervisorSettings
from simplestack.entities.limits import ReadableFile

#: Not a pattern of the type: msgspec 0.22 crashes when it frees a union of such a type and a list of it.
_FINGERPRINT = re.compile("[0-9a-fA-F]{64}")


class TlsSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings for the TLS certificates of hosts, which :class:`HttpsConnection` verifies.

    A plugin's settings may be a subclass. If it has a ``__post_init__``, that calls this one.
    """

    #: Verify the TLS certificates of hosts. Without verification, an attacker in the network can read
    #: passwords and change guests.
    tls_verify: bool = True
    #: PEM file with the certificates of trusted authorities. Default: the system's.
    tls_ca_file: ReadableFile | None = None
    #: SHA-256 fingerprint of a host's certificate, 64 hexadecimal digits; or a list of them, such as those of
    #: all hosts of a pool that redirect transfers to each other. If it is set, only these certificates are
    #: trusted. Use it for self-signed certificates.
    tls_fingerprint: str | list[str] | None = None

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

    def tls_warnings(self) -> list[str]:
        """Return warnings about these settings, for the `warnings` of a plugin's description."""
        lines = []
        if not self.tls_verify and self.tls_fingerprint is None:
            lines.append("tls_verify is off: an attacker in the network can read passwords and change guests")
        return lines
