"""Credentials of a request: shown nowhere, told apart by their digests."""

import pytest

from simplestack import Unauthorized
from simplestack.identity.credentials import Credentials


def test_the_password_is_not_shown() -> None:
    assert repr(Credentials("admin", "secret")) == "Credentials(username='admin')"


def test_user_and_password_are_told_apart() -> None:
    digests = {
        Credentials(*pair).digest() for pair in [("ab", "c"), ("a", "bc"), ("ab", ""), ("a", "b"), ("", "ab")]
    }
    assert len(digests) == 5
    assert {len(digest) for digest in digests} == {32}
    assert Credentials("ab", "c").digest() in digests


@pytest.mark.parametrize("pair", [("admin", "pa55\udc80"), ("admin\ud800", "pa55")])
def test_text_that_no_client_could_send_is_rejected_without_it(pair: tuple[str, str]) -> None:
    with pytest.raises(Unauthorized) as rejected:
        Credentials(*pair)
    assert rejected.value.message == "the user name or the password has half of a surrogate pair"
    assert rejected.value.__context__ is None, "an error from encoding would hold the password"
