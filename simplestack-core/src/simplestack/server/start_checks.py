"""Check the files that the service needs to start: its settings, its certificate and its private key."""

import ssl
import stat
from pathlib import Path

from simplestack.config.load import Configuration
from simplestack.config.settings import ServerSettings


def file_warnings(configuration: Configuration) -> list[str]:
    """Return a warning for each file that other users of the machine should not be able to read or change."""
    warnings = []
    path, key = configuration.path, configuration.server.private_key
    if key is not None and _has_mode(Path(key), stat.S_IROTH | stat.S_IWOTH):
        warnings.append(f"server.private_key: every user of this machine can read {key}: use `chmod 600`")
    if path is not None and _has_mode(path, stat.S_IWOTH):
        warnings.append(f"every user of this machine can change {path}: use `chmod 640`")
    elif path is not None and configuration.has_hashes and _has_mode(path, stat.S_IROTH):
        warnings.append(f"every user of this machine can read the hashes in {path}: use `chmod 640`")
    return warnings


def _has_mode(path: Path, bits: int) -> bool:
    try:
        return bool(path.stat().st_mode & bits)
    except OSError:  # reported as a problem
        return False


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
