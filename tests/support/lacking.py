"""What a test needs and this machine does not have."""

import os
from collections.abc import Iterable
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip what cannot be tested here; with SIMPLESTACK_REQUIRE=all it is a failure."""
    if os.environ.get("SIMPLESTACK_REQUIRE") == "all":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def lacking_packages(packages: Iterable[str]) -> NoReturn:
    """Skip what needs packages of Debian's, as `lacking`."""
    lacking(f"needs: apt-get install --no-install-recommends {' '.join(packages)}")
