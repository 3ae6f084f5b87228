"""Accounts in the settings: their hashes, and who they let in."""

import base64
import hashlib
import time
from concurrent.futures import wait

import pytest

from simplestack import Unauthorized
from simplestack.identity import accounts
from simplestack.identity.accounts import check_account, hash_password, verify_password
from simplestack.identity.credentials import Credentials
from support.threads import in_threads


def quick_hash(password: str, *, cost: int = 2, block: int = 1, parallel: int = 1) -> str:
    """Return a hash as ours are, but with parameters that take no time."""
    salt = b"0123456789abcdef"
    key = hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=parallel, dklen=32)
    return f"scrypt${cost}${block}${parallel}${_text(salt)}${_text(key)}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_hash_costs_what_owasp_advises_and_has_a_salt_of_its_own() -> None:
    first, second = hash_password("secret"), hash_password("secret")
    scheme, *parameters, salt, key = first.split("$")
    assert (scheme, parameters) == ("scrypt", ["32768", "8", "3"])
    assert (len(base64.b64decode(salt)), len(base64.b64decode(key))) == (16, 32)
    assert salt != second.split("$")[-2]
    assert verify_password("secret", first)
    assert not verify_password("Secret", first)


def test_each_parameter_is_read_from_the_hash() -> None:
    hashed = quick_hash("secret", cost=4, block=2, parallel=3)
    assert verify_password("secret", hashed) is True
    assert verify_password("other", hashed) is False
    for other in (
        hashed.replace("$4$2", "$8$2"),
        hashed.replace("$2$3", "$1$3"),
        hashed.replace("$3$", "$4$"),
    ):
        assert not verify_password("secret", other)


@pytest.mark.parametrize(
    "hashed",
    [
        "secret",
        quick_hash("a").replace("scrypt", "bcrypt"),
        quick_hash("a").replace("$2$", "$two$"),
        f"{quick_hash('a')}$more",
        quick_hash("a").replace("=", "=\n"),
        "scrypt$2$1$1$!AAAA$AAAA",
        "scrypt$2$1$1$AAAA$!AAAA",
    ],
)
def test_what_is_no_hash_is_rejected_without_being_quoted(hashed: str) -> None:
    with pytest.raises(ValueError, match=r"\Anot a hash from `simplestack hash-password`\Z"):
        verify_password("a", hashed)


def test_a_hash_that_needs_more_than_256_mib_is_rejected() -> None:
    # OpenSSL takes 128 * r * (N + p + 2) bytes.
    with pytest.raises(ValueError, match=r"memory limit exceeded|Invalid parameter"):
        verify_password("a", "scrypt$1024$2043$1$AAAA$AAAA")


def test_an_account_lets_its_own_password_in_alone() -> None:
    hashes = {"admin": quick_hash("secret"), "other": quick_hash("hidden")}
    check_account(hashes, Credentials("admin", "secret"))
    check_account(hashes, Credentials("other", "hidden"))
    for user, password in (("admin", "hidden"), ("admin", ""), ("nobody", "secret")):
        with pytest.raises(Unauthorized, match="wrong user name or password"):
            check_account(hashes, Credentials(user, password))


def test_a_user_that_does_not_exist_costs_as_much_as_one_that_does() -> None:
    assert accounts._NOBODY.split("$")[:4] == hash_password("secret").split("$")[:4]


def test_no_more_than_two_passwords_are_verified_at_once() -> None:
    hashed = quick_hash("secret")
    with in_threads(1) as start:
        with accounts._VERIFYING, accounts._VERIFYING:
            third = start(verify_password, "secret", hashed)
            with pytest.raises(TimeoutError):
                third.result(0.2)
        assert third.result(20)


def is_let_in_at_once(hashes: dict[str, str], login: Credentials, patience_seconds: float = 0.2) -> bool:
    """Tell whether a login is let in while no password can be verified."""
    with in_threads(1) as start:
        with accounts._VERIFYING, accounts._VERIFYING:
            checked = start(check_account, hashes, login)
            done, _ = wait([checked], patience_seconds)
        assert checked.result() is None
    return bool(done)


def test_a_login_that_was_let_in_is_remembered_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = {"admin": quick_hash("remembered"), "other": quick_hash("remembered")}
    login = Credentials("admin", "remembered")
    assert not is_let_in_at_once(hashes, login)
    assert is_let_in_at_once(hashes, login, 20)
    assert not is_let_in_at_once({"admin": quick_hash("remembered", cost=4)}, login), "another account"
    started = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: started + 59)
    assert accounts._VERIFIED.has((login.digest(), hashes["admin"]))
    monkeypatch.setattr(time, "monotonic", lambda: started + 61)
    assert not accounts._VERIFIED.has((login.digest(), hashes["admin"]))


@pytest.mark.parametrize("login", [Credentials("admin", "wrong"), Credentials("nobody", "secret")])
def test_a_login_that_was_rejected_is_verified_again(login: Credentials) -> None:
    hashes = {"admin": quick_hash("secret")}
    for _ in range(2):
        with pytest.raises(Unauthorized):
            check_account(hashes, login)
    with in_threads(1) as start:
        with accounts._VERIFYING, accounts._VERIFYING:
            third = start(check_account, hashes, login)
            with pytest.raises(TimeoutError):
                third.result(0.2)
        assert isinstance(third.exception(), Unauthorized)


def test_the_logins_that_are_remembered_are_bounded() -> None:
    verified = accounts._VerifiedLogins()
    for number in range(1025):
        verified.add((b"", str(number)))
    assert not verified.has((b"", "0"))
    assert verified.has((b"", "1"))
    verified.add((b"", "1"))
    verified.add((b"", "1025"))
    assert verified.has((b"", "1"))
    assert not verified.has((b"", "2"))
