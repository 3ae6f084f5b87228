"""An authority of a simulator's own, and the certificate of its server."""

import hashlib
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Trust:
    """The authority that a client has to trust, and the file with the server's certificate and key."""

    ca_file: Path
    certificate: Path


def make_trust(folder: Path, *names: str) -> Trust:
    """Make an authority, and a certificate for this machine.

    :param names: other names and addresses of it
    :raises ImportError: trustme is not installed
    """
    import trustme  # noqa: PLC0415  a server with a certificate of its own needs none

    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    trust = Trust(folder / "ca.pem", folder / "host.pem")
    authority.cert_pem.write_to_path(trust.ca_file)
    trust.certificate.touch(mode=0o600)
    identities = dict.fromkeys(("127.0.0.1", "localhost", *names))
    authority.issue_cert(*identities).private_key_and_cert_chain_pem.write_to_path(trust.certificate)
    return trust


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return the TLS context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def thumbprint(certificate: Path) -> str:
    """Return the SHA-1 of the first certificate in a PEM file, as vSphere shows it: ``0A:1B:...``.

    :raises ValueError: it has none
    """
    return hashlib.sha1(_first(certificate), usedforsecurity=False).digest().hex(":").upper()


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 of the first certificate in a PEM file, as settings have it: ``0a1b...``.

    :raises ValueError: it has none
    """
    return hashlib.sha256(_first(certificate)).hexdigest()


def _first(certificate: Path) -> bytes:
    found = _CERTIFICATE.search(certificate.read_text())
    if found is None:
        raise ValueError(f"{certificate} has no certificate")
    return ssl.PEM_cert_to_DER_cert(found[0])
