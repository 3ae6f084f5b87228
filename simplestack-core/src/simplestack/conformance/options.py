"""Read and check the options of a run."""

import math
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from simplestack.conformance.command_line import PASSWORD_VARIABLE
from simplestack.conformance.coverage import WAYS

_VLANS = re.compile(r"\A([0-9]{1,4})-([0-9]{1,4})\Z")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a run."""

    hypervisor: str
    host: str
    username: str
    password: str = field(repr=False)
    any_password: bool = False
    config: Path | None = None
    image: str | None = None
    image_file: Path | None = None
    template: str | None = None
    iso: str | None = None
    storage: str | None = None
    network: str | None = None
    other_network: str | None = None
    trunk: str | None = None
    vlans: range = range(3900, 4000)
    guest: str | None = None
    #: MiB
    memory: int = 128
    patience_seconds: float = 120
    ways: tuple[str, ...] = WAYS


def read_options(config: pytest.Config) -> Options:
    """Read the options from the command line.

    :raises pytest.UsageError: an option has an invalid value
    """

    def given(name: str) -> Any:
        return config.getoption(f"simplestack_{name}")

    def file(name: str) -> Path | None:
        path = None if given(name) is None else Path(given(name)).resolve()
        if path is not None and not path.is_file():
            raise pytest.UsageError(f"--{name.replace('_', '-')}: {path} is not a file")
        return path

    return Options(
        hypervisor=given("hypervisor"),
        host=given("host"),
        username=given("username") or "kit",
        password=_password(given("password"), file("password_file")),
        any_password=given("any_password"),
        config=file("config"),
        image=given("image"),
        image_file=file("image_file"),
        template=given("template"),
        iso=given("iso"),
        storage=given("storage"),
        network=given("network"),
        other_network=given("other_network"),
        trunk=given("trunk"),
        vlans=_vlans(given("vlans") or "3900-3999"),
        guest=given("guest"),
        memory=_whole_number("memory", given("memory") or "128"),
        patience_seconds=_number("patience", given("patience") or "120"),
        ways=_ways(given("way")),
    )


def _password(word: str | None, file: Path | None) -> str:
    if file is not None:
        return file.read_text().partition("\n")[0]
    if word is not None:
        return word
    # A host that accepts any password needs none.
    return os.environ.get(PASSWORD_VARIABLE) or secrets.token_urlsafe(8)


def _ways(way: str | None) -> tuple[str, ...]:
    if way is None:
        return WAYS
    if way not in WAYS:
        raise pytest.UsageError(f"--way: {way!r} is not one of {', '.join(WAYS)}")
    return (way,)


def _vlans(text: str) -> range:
    match = _VLANS.match(text)
    if match is None or not 1 <= int(match[1]) < int(match[2]) <= 4094:
        raise pytest.UsageError(
            f"--vlans: {text!r} is not a range of VLAN tags: use FIRST-LAST, for example 3900-3999"
        )
    return range(int(match[1]), int(match[2]) + 1)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < math.inf:
        raise pytest.UsageError(f"--{name}: {text!r} is not a number above 0")
    return number


def _whole_number(name: str, text: str) -> int:
    number = _number(name, text)
    if not number.is_integer():
        raise pytest.UsageError(f"--{name}: {text!r} is not a whole number above 0")
    return int(number)
