"""Credentials of a request: shown nowhere, told apart by their digests."""

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
