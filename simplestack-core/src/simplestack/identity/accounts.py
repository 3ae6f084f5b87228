"""Accounts in the settings: passwords are stored as scrypt hashes (RFC 7914)."""

import base64
import hashlib
import hmac
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress

from simplestack.errors import Unauthorized
from simplestack.identity.credentials import Credentials

#: OWASP recommends N=2^17, or equivalently N=2^15, r=8, p=3, which takes 32 MiB instead of 128.
_COST, _BLOCK, _PARALLEL = 2**15, 8, 3
_SALT_BYTES, _KEY_BYTES = 16, 32
#: OpenSSL rejects a hash whose parameters need more memory than this.
_MAX_MEMORY_BYTES = 256 * 1024**2
#: Limits parallel verifications: each takes 32 MiB and about 0.2 s of a core.
_VERIFYING = threading.BoundedSemaphore(2)
_REMEMBER_SECONDS = 60.0
_MAX_REMEMBERED = 1024


class _VerifiedLogins:
    """Recently verified logins, with the hash that they were verified against."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until_seconds: OrderedDict[tuple[bytes, str], float] = OrderedDict()

    def add(self, login: tuple[bytes, str]) -> None:
        with self._lock:
            self._until_seconds[login] = time.monotonic() + _REMEMBER_SECONDS
            self._until_seconds.move_to_end(login)
            if len(self._until_seconds) > _MAX_REMEMBERED:
                self._until_seconds.popitem(last=False)

    def has(self, login: tuple[bytes, str]) -> bool:
        with self._lock:
            return time.monotonic() < self._until_seconds.get(login, 0.0)


_VERIFIED = _VerifiedLogins()


def hash_password(password: str) -> str:
    """Return the hash of a password for the settings: ``scrypt$N$r$p$salt$key``, salt and key in base64."""
    salt = os.urandom(_SALT_BYTES)
    key = _derive(password, salt, _COST, _BLOCK, _PARALLEL)
    salt_text, key_text = (base64.b64encode(part).decode() for part in (salt, key))
    return f"scrypt${_COST}${_BLOCK}${_PARALLEL}${salt_text}${key_text}"


def verify_password(password: str, hashed: str) -> bool:
    """Return whether `hashed` is a hash of `password`.

    :raises ValueError: `hashed` is not a hash from `hash_password`
    """
    with _VERIFYING:
        return _is_made_of(password, hashed)


def check_account(accounts: Mapping[str, str], credentials: Credentials) -> None:
    """Check credentials against the accounts in the settings, for hypervisors that do not check passwords.

    Wrong credentials take the same time whether or not the user exists. Correct ones are remembered for a
    minute, as a keyed digest, so that further sessions of the same user connect faster.

    :param accounts: password hashes by user name
    :raises Unauthorized: the user does not exist, or the password is wrong
    """
    hashed = accounts.get(credentials.username, _NOBODY)
    login = credentials.digest(), hashed
    if _VERIFIED.has(login):
        return
    with _VERIFYING:
        # Another request may have verified this login meanwhile.
        if not _VERIFIED.has(login):
            if not _is_made_of(credentials.password, hashed):
                raise Unauthorized("wrong user name or password")
            _VERIFIED.add(login)


def _is_made_of(password: str, hashed: str) -> bool:
    cost, block, parallel, salt, key = _parse(hashed)
    return hmac.compare_digest(_derive(password, salt, cost, block, parallel), key)


def _derive(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=cost,
        r=block,
        p=parallel,
        maxmem=_MAX_MEMORY_BYTES,
        dklen=_KEY_BYTES,
    )


def _parse(hashed: str) -> tuple[int, int, int, bytes, bytes]:
    with suppress(ValueError):  # the message would show the hash
        scheme, cost, block, parallel, salt, key = hashed.split("$")
        if scheme == "scrypt":
            numbers = int(cost), int(block), int(parallel)
            return *numbers, base64.b64decode(salt, validate=True), base64.b64decode(key, validate=True)
    raise ValueError("not a hash from `simplestack hash-password`")


#: A hash of no password: random salt, random key.
_NOBODY = "$".join(
    [
        f"scrypt${_COST}${_BLOCK}${_PARALLEL}",
        base64.b64encode(os.urandom(_SALT_BYTES)).decode(),
        base64.b64encode(os.urandom(_KEY_BYTES)).decode(),
    ]
)
