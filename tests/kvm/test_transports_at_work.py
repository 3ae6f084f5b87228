"""Guests over every transport, on a real libvirtd and a real sshd: calls, and streams in both directions."""

import secrets
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from simplestack import MIB, Credentials, GuestCreate, GuestState, NewDisk, Target
from simplestack.identity.accounts import hash_password
from simplestack_kvm.hooks.guests import guest_clone, guest_delete, guest_list
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.power import guest_shutdown, guest_start
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd
from .test_connect import ALICE, HERE, connected, ssh_settings
from .test_guests import ALL_FIELDS
from .uefi_guests import path_of, uefi_guest, variables

ACCOUNTS = {ALICE.username: hash_password(ALICE.password)}
#: More than a message of libvirt's holds.
STREAM_BYTES = 9 * MIB + 1


def _local(daemon: Libvirtd, port: int) -> tuple[Target, Credentials]:
    return Target("localhost", port), Credentials(daemon.username, daemon.password)


def _with_key(daemon: Libvirtd) -> KvmSettings:
    key = {"ssh_auth": "key", "ssh_key_user": daemon.username, "ssh_key_file": daemon.service_key}
    return ssh_settings(daemon, accounts=ACCOUNTS, **key)


Way = tuple[Target, Credentials, KvmSettings]
WAYS: dict[str, Callable[[Libvirtd], Way]] = {
    "unix": lambda d: (HERE, ALICE, KvmSettings(socket=d.socket, accounts=ACCOUNTS)),
    "tcp with SASL": lambda d: (*_local(d, d.tcp_port), KvmSettings(transport="tcp")),
    "tls": lambda d: (
        Target("localhost", d.tls_port),
        ALICE,
        KvmSettings(tls_pki_path=d.pki, accounts=ACCOUNTS),
    ),
    "ssh with a password": lambda d: (*_local(d, d.ssh_port), ssh_settings(d)),
    "ssh with a key": lambda d: (Target("localhost", d.ssh_port), ALICE, _with_key(d)),
}


@pytest.mark.parametrize("way", WAYS)
def test_guests_live_over_every_transport(libvirtd: Libvirtd, nvram: Path, way: str) -> None:
    with connected(*WAYS[way](libvirtd)) as session:
        _stream(session, libvirtd)
        made = guest_create(
            session, GuestCreate(name=f"{way} {uuid.uuid4().hex[:8]}", memory=32, disks=[NewDisk(size=0.5)])
        )
        guest_start(session, made.id)
        listed = {guest.id: guest for guest in guest_list(session, ALL_FIELDS)}
        assert listed[made.id].state == GuestState.STARTED
        guest_shutdown(session, made.id, force=True)
        clone = guest_clone(session, made.id, f"{made.name} cloned", None)
        guest_delete(session, made.id)
        guest_delete(session, clone.id)
        with uefi_guest(session, nvram) as domain:
            (nvram / f"{domain.name()}_VARS.fd").write_bytes(variables(way.encode()))
            clone = guest_clone(session, domain.UUIDString(), f"{way} {uuid.uuid4().hex[:8]}", None)
            assert (nvram / path_of(session, clone).name).read_bytes() == variables(way.encode())
            guest_delete(session, clone.id)


def _stream(session: KvmSession, libvirtd: Libvirtd) -> None:
    """Upload a volume, and download it again."""
    content = secrets.token_bytes(STREAM_BYTES)
    text = f"<volume><name>{uuid.uuid4()}</name><capacity>{STREAM_BYTES}</capacity></volume>"
    volume = session.connection.storagePoolLookupByName(libvirtd.pool).createXML(text)
    try:
        sending = session.connection.newStream()
        volume.upload(sending, 0, STREAM_BYTES)
        position = 0
        while position < STREAM_BYTES:
            position += sending.send(content[position : position + MIB])
        sending.finish()
        receiving = session.connection.newStream()
        volume.download(receiving, 0, 0)
        received = bytearray()
        while chunk := receiving.recv(MIB):
            received += chunk
        receiving.finish()
        assert bytes(received) == content
    finally:
        volume.delete()
