"""Clients that are programs of Debian's."""

from pathlib import Path
from typing import NoReturn

from support.lacking import lacking_packages

#: Debian's packages of all of them.
PACKAGES_FILE = Path(__file__).with_name("apt-packages.txt")


def lacking_client() -> NoReturn:
    """Skip a test, since its program is missing; with SIMPLESTACK_REQUIRE=all it is a failure."""
    lines = PACKAGES_FILE.read_text().splitlines()
    lacking_packages(line for line in lines if not line.startswith("#"))
