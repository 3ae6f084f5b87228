"""An authority of the simulator's own, and what it vouches for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trust:
    """Who vouches for simulated hosts, and what they show: a certificate and its key."""

    ca_file: Path
    certificate: Path


def make_trust(folder: Path, *names: str) -> Trust:
    """Make an authority, and a certificate for this machine.

    :param names: other names and addresses of it
    :raises ImportError: trustme is not installed
    """
    import trustme  # noqa: PLC0415  what shows a certificate that it was given needs none

    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    trust = Trust(folder / "ca.pem", folder / "host.pem")
    authority.cert_pem.write_to_path(trust.ca_file)
    trust.certificate.touch(mode=0o600)
    identities = dict.fromkeys(("127.0.0.1", "localhost", *names))
    authority.issue_cert(*identities).private_key_and_cert_chain_pem.write_to_path(trust.certificate)
    return trust
