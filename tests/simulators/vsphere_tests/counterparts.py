"""Clients that are programs of Debian's."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

#: Debian's packages of all of them.
PACKAGES_FILE = Path(__file__).with_name("apt-packages.txt")


def lacking() -> NoReturn:
    """Skip a test, since its program is missing; with SIMPLESTACK_REQUIRE=all it is a failure."""
    lines = PACKAGES_FILE.read_text().splitlines()
    packages = " ".join(line for line in lines if not line.startswith("#"))
    missing = f"needs: apt-get install --no-install-recommends {packages}"
    if os.environ.get("SIMPLESTACK_REQUIRE") == "all":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
