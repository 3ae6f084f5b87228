"""Service tokens and their hashes."""

import base64
import hashlib

import pytest

from simplestack.identity.tokens import check_token_hash, new_token, token_hash


def test_a_token_is_256_random_bits() -> None:
    first, second = new_token(), new_token()
    assert first != second
    assert len(base64.urlsafe_b64decode(first + "=")) == 32


def test_the_hash_of_a_token_is_its_sha256() -> None:
    assert token_hash("t") == f"sha256${hashlib.sha256(b't').hexdigest()}"
    check_token_hash(token_hash("t"))


def test_bytes_of_a_header_that_are_no_text_have_a_hash() -> None:
    text = b"\xff".decode(errors="surrogateescape")
    assert token_hash(text) == f"sha256${hashlib.sha256(bytes([255])).hexdigest()}"


@pytest.mark.parametrize("hashed", ["t", f"sha256${'a' * 63}", f"sha256${'A' * 64}", f"{token_hash('t')}\n"])
def test_another_text_is_no_hash(hashed: str) -> None:
    with pytest.raises(ValueError, match="not a hash from `simplestack service-token`"):
        check_token_hash(hashed)
