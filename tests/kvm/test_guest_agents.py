"""Guests whose agents say nothing, or nonsense: a real guest, whose agent is played by the test."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import libvirt
import libvirt_qemu  # type: ignore[import-untyped]  # it has no annotations
import pytest

from simplestack import Target
from simplestack_kvm.hooks.guests import guest_info, guest_list
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.networks import agents
from simplestack_kvm.settings import KvmSettings

from .counterparts.guest_agent import GuestAgent, channels, interfaces, reply
from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign

ALL_FIELDS = frozenset({"id", "name", "cpus", "memory", "hdd", "paravirtualized", "ip", "state", "host"})
BOOT_SECONDS = 90
PATIENCE_SECONDS = 60
CLIENTS = 10
NIC = "<interface type='ethernet'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"

Until = Callable[[Callable[[], bool], float, str], None]


class Played(NamedTuple):
    """A running guest, and its agent."""

    domain: "libvirt.virDomain"
    agent: GuestAgent


@pytest.fixture(scope="module")
def booted(libvirtd: Libvirtd, guest_volume: str, until: Until) -> Iterator[Played]:
    """Boot a guest, once: it takes seconds."""
    connection = libvirt.open(libvirtd.uri)
    path = libvirtd.folder / "agent.sock"
    disk = file_disk(str(libvirtd.pool_folder / guest_volume), "vda", "virtio")
    with foreign(connection, disk + NIC + channels(path), memory_mib=128) as domain:
        domain.create()
        agent = GuestAgent(path)
        connected = "name='org.qemu.guest_agent.0' state='connected'"
        until(lambda: connected in domain.XMLDesc(), BOOT_SECONDS, "the agent is connected")
        played = Played(domain, agent)
        agent.answer = lambda _: interfaces("192.0.2.1")
        until(lambda: asked(domain) is not None, BOOT_SECONDS, "the guest passes on what the agent says")
        yield played
        agent.close()
    connection.close()


def asked(domain: "libvirt.virDomain") -> str | None:
    try:
        response: str = libvirt_qemu.qemuAgentCommand(domain, '{"execute": "guest-info"}', 2, 0)
    except libvirt.libvirtError:
        return None
    return response


@pytest.fixture
def played(booted: Played) -> Played:
    """Give the guest, its agent in order, and nothing known of it."""
    agents._silent_until.clear()
    booted.agent.answer = lambda _: interfaces("192.0.2.1")
    booted.agent.syncs = True
    booted.agent.commands.clear()
    return booted


def address(session: KvmSession, domain: "libvirt.virDomain") -> str | None:
    """Return a guest's address, as its page and the list show it."""
    shown = guest_info(session, domain.UUIDString())
    assert (shown.name, shown.cpus, shown.memory) == (domain.name(), 1, 128)
    assert shown in guest_list(session, ALL_FIELDS)
    return shown.ip


def test_the_agent_says_the_address(session: KvmSession, played: Played) -> None:
    assert address(session, played.domain) == "192.0.2.1"


def text(*addresses: object) -> Callable[[dict[str, Any]], bytes]:
    return lambda _: interfaces(*addresses)


NONSENSE: dict[str, tuple[Callable[[dict[str, Any]], bytes], str | None]] = {
    "no address": (text("not an address"), None),
    "nonsense before an address": (text("", "300.1.1.1", "x" * 10_000, "192.0.2.7"), "192.0.2.7"),
    "a zone": (text("2001:db8::1%eth0", "fe80::1%<script>"), None),
    "an address behind one with a zone": (text("2001:db8::1%eth0", "2001:db8::2"), "2001:db8::2"),
    "addresses that lead nowhere": (text("127.0.0.1", "::1", "::", "224.0.0.1", "ff02::1"), None),
    "a number": (text(7, None, True, ["192.0.2.8"], "192.0.2.9"), "192.0.2.9"),
    "nothing": (lambda _: reply(None), None),
    "another type": (lambda _: reply({"ip-addresses": 1}), None),
    "lists in lists": (lambda _: reply([[[]], 1, None, "x", {"ip-addresses": {"ip-address": 1}}]), None),
    "an error": (lambda _: json.dumps({"error": {"class": "X", "desc": "no"}}).encode() + b"\n", None),
    "deep": (lambda _: b'{"return":' + b"[" * 5000 + b"]" * 5000 + b"}\n", None),
    "huge": (text(*[f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(30_000)]), None),
    "more than libvirt's protocol can carry": (text(*["x" * 1000] * 5000), None),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_an_agent_says_is_an_address_or_nothing(session: KvmSession, played: Played, name: str) -> None:
    played.agent.answer, expected = NONSENSE[name]
    assert address(session, played.domain) == expected


@pytest.mark.parametrize("syncs", [True, False])
def test_a_silent_agent_costs_its_address_and_is_not_asked_again_at_once(
    session: KvmSession, played: Played, *, syncs: bool
) -> None:
    played.agent.answer = lambda _: None
    assert asked(played.domain) is None  # so that libvirt sends guest-sync again
    played.agent.commands.clear()
    played.agent.syncs = syncs
    assert address(session, played.domain) is None
    assert address(session, played.domain) is None
    assert len(played.agent.commands) == (1 if syncs else 0)
    agents._silent_until.clear()
    played.agent.answer, played.agent.syncs = text("192.0.2.3"), True
    assert address(session, played.domain) == "192.0.2.3"


def addresses_for_many(libvirtd: Libvirtd, settings: KvmSettings, played: Played) -> list[str | None]:
    """Read the guest's address for many clients at once, each by a connection of its own."""
    found: list[str | None] = []

    def poll() -> None:
        own = KvmSession(libvirt.open(libvirtd.uri), settings, Target("localhost"))
        found.append(address(own, played.domain))
        own.connection.close()

    threads = [threading.Thread(target=poll, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    return found


def test_many_clients_at_once_wait_for_a_silent_agent_once(
    libvirtd: Libvirtd, settings: KvmSettings, played: Played
) -> None:
    played.agent.answer = lambda _: None
    found = addresses_for_many(libvirtd, settings, played)
    assert found == [None] * CLIENTS
    assert len(played.agent.commands) == 1


def test_many_clients_at_once_all_read_what_an_agent_says(
    libvirtd: Libvirtd, settings: KvmSettings, played: Played
) -> None:
    found = addresses_for_many(libvirtd, settings, played)
    assert found == ["192.0.2.1"] * CLIENTS


def test_an_agent_that_somebody_else_uses_is_given_up_and_the_other_gets_its_answer(
    session: KvmSession, libvirtd: Libvirtd, played: Played, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "LIMIT_SECONDS", 0.5)
    thawed = threading.Event()
    results: list[str] = []

    def answer(command: dict[str, Any]) -> bytes:
        if command["execute"] == "guest-fsfreeze-freeze":
            assert thawed.wait(PATIENCE_SECONDS)
            return reply(1)
        return interfaces("192.0.2.4")

    def freeze() -> None:
        other = libvirt.open(libvirtd.uri)
        domain = other.lookupByUUIDString(played.domain.UUIDString())
        results.append(str(domain.fsFreeze()))
        other.close()

    played.agent.answer = answer
    backup = threading.Thread(target=freeze, daemon=True)
    backup.start()
    until(lambda: played.agent.commands == ["guest-fsfreeze-freeze"], PATIENCE_SECONDS, "a backup has begun")
    shown = guest_info(session, played.domain.UUIDString())
    assert (shown.ip, shown.memory, session.abandoned.is_set()) == (None, 128, True)
    thawed.set()
    backup.join(PATIENCE_SECONDS)
    assert results == ["1"], "the backup waits as long as it would without us"
