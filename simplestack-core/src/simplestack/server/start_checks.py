"""Try what the service needs to start: its certificate and its private key."""

import ssl
import stat
from pathlib import Path

from simplestack.config.settings import ServerSettings


def key_warnings(server: ServerSettings) -> list[str]:
    """Return a warning if other users of the machine can read the private key."""
    if server.private_key is None:
        return []
    mode = Path(server.private_key).stat().st_mode
    if not mode & (stat.S_IROTH | stat.S_IWOTH):
        return []
    return [f"server.private_key: every user of this machine can read {server.private_key}: use `chmod 600`"]


def certificate_problems(server: ServerSettings) -> list[str]:
    """Return why the certificate and the private key cannot be used, as Python's TLS library finds it."""
    if server.certificate is None or server.private_key is None:
        return []
    problems = []
    for setting, path in (("certificate", server.certificate), ("private_key", server.private_key)):
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            problems.append(f"server.{setting}: cannot read {path}: {error.strerror}")
    if problems:
        return problems
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(server.certificate, server.private_key, password=_no_password)
    except _EncryptedKey:
        return [f"server.private_key: {server.private_key} has a password: remove it from the key"]
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None)
        if reason == "KEY_VALUES_MISMATCH":
            return [f"server.private_key: {server.private_key} is not the key of {server.certificate}"]
        what = f"{server.certificate} must have a certificate and {server.private_key} its private key"
        why = reason or type(error).__name__
        return [f"server.certificate, server.private_key: {what}, both as PEM ({why})"]
    return []


class _EncryptedKey(Exception):
    """The private key has a password, which nobody can type when the service starts."""


def _no_password() -> str:
    raise _EncryptedKey
