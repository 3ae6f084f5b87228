"""Images of the mock's guests: out, in, and what is in them."""

import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from simplestack import Guest
from simplestack.mock import MockSession
from simplestack.mock.hooks import transfer


def exported(session: MockSession, guest_id: str) -> bytes:
    return b"".join(transfer.guest_export(session, guest_id).chunks)


def imported(session: MockSession, image: bytes, storage: str | None = None) -> Guest:
    return transfer.guest_import(session, io.BytesIO(image), len(image), storage, None)


def contents(image: bytes) -> list[bytes]:
    """Return what is on each disk of an export."""
    with tarfile.open(fileobj=io.BytesIO(image)) as archive:
        return [
            (archive.extractfile(member) or io.BytesIO()).read()
            for member in archive
            if member.name.startswith("disk-")
        ]


def manifest_of(image: bytes) -> dict[str, Any]:
    """Return what an export says of its guest."""
    with tarfile.open(fileobj=io.BytesIO(image)) as archive:
        found: dict[str, Any] = json.load(archive.extractfile("simplestack-mock.json") or io.BytesIO())
        return found


def rewritten(
    image: bytes, members: Mapping[str, object], *, renamed: Mapping[str, str] | None = None
) -> bytes:
    """Return an archive whose manifest says something else.

    :param members: what it says
    :param renamed: new names of files in the archive
    """
    result = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(image)) as source,
        tarfile.open(fileobj=result, mode="w", format=tarfile.USTAR_FORMAT) as target,
    ):
        for member in source:
            data = (source.extractfile(member) or io.BytesIO()).read()
            if member.name.endswith(".json"):
                data = json.dumps({**json.loads(data), **members}).encode()
                member.size = len(data)
            member.name = (renamed or {}).get(member.name, member.name)
            target.addfile(member, io.BytesIO(data))
    return result.getvalue()
