"""Guests with data for cloud-init, and copies of them in every way."""

import io
from collections.abc import Callable

from simplestack import CloudInit, GuestCreate, NewDisk
from simplestack_xen.hooks.guests import guest_clone
from simplestack_xen.hooks.guests_create import guest_create
from simplestack_xen.hooks.guests_update import XenGuestUpdate, guest_update
from simplestack_xen.hooks.transfer import guest_export, guest_import
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.database import Object
from support.xapi import Pool

KEY = "simplestack:cloud-init"
SECRET = "correct horse battery staple"
DATA = CloudInit(user_data=f"#cloud-config\npassword: {SECRET}\n", hostname="web.example.com")
WANTED = GuestCreate(name="web", memory=256, disks=[NewDisk(size=1)], user_data=DATA.user_data)

New = Callable[[XenSession, str], str]


def seeds(pool: Pool, name: str | None = None) -> list[Object]:
    """Return the disk images with data for cloud-init, all or those of a VM."""
    found = [image for image in pool.all("VDI") if KEY in image["other_config"]]
    if name is None:
        return found
    own = {drive["VDI"] for drive in pool.all("VBD") if drive["VM"] == pool.vm(name).ref}
    return [image for image in found if image.ref in own]


def content(pool: Pool, image: Object) -> bytes:
    return b"".join(pool.simulator.storage.content(image).chunks())


def secrets_in(pool: Pool) -> list[str]:
    """Return the names of the disk images that have the secret."""
    return [image["name_label"] for image in pool.all("VDI") if SECRET.encode() in content(pool, image)]


def make_by_clone(session: XenSession, origin: str) -> str:
    return guest_clone(session, origin, "copy", None).id


def make_of_template(session: XenSession, origin: str) -> str:
    return guest_create(session, GuestCreate(name="copy", template=origin)).id


def make_in_storage(session: XenSession, origin: str) -> str:
    return guest_create(session, GuestCreate(name="copy", template=origin, storage="Local storage")).id


def make_by_import(session: XenSession, origin: str) -> str:
    image = b"".join(guest_export(session, origin).chunks)
    made = guest_import(session, io.BytesIO(image), len(image), None, None)
    guest_update(session, made.id, XenGuestUpdate(name="copy"))
    return made.id


COPIES = [make_by_clone, make_of_template, make_in_storage, make_by_import]
