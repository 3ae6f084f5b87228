"""A plugin like simplestack-kvm that shares its connections: what simplestack-kvm is compared with."""

from pathlib import Path

from support.distributions import install

NAME = "kvm-shared"
_SOURCE = f"""
import dataclasses
import simplestack_kvm

plugin = dataclasses.replace(
    simplestack_kvm.plugin, name="{NAME}", aliases=(), examples=None, shares_sessions=True
)
"""


def install_shared(folder: Path) -> None:
    """Install it into a folder."""
    install(folder, NAME, _SOURCE)
