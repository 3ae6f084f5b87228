"""What is left of an import whose libvirtd died: nothing, or the error names it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from simplestack import MIB, GuestImport, HypervisorUnavailable
from simplestack_kvm import session as sessions
from simplestack_kvm.hooks.guests_import import guest_import

from .appliances import SECOND, appliance, disk, image, ova
from .counterparts.libvirtd import Libvirtd
from .test_leftovers import connected, mortal, others, public
from .uploads import DESCRIBED, Upload

__all__ = ["mortal"]


def dying(daemon: Libvirtd, at_bytes: int) -> Callable[[int], None]:
    """Return what kills libvirtd when so much has been read."""
    is_dead = False

    def die(read_bytes: int) -> None:
        nonlocal is_dead
        if read_bytes > at_bytes and not is_dead:
            is_dead = True
            os.kill(daemon.pid(), signal.SIGKILL)

    return die


@pytest.mark.parametrize("image_format", ["qcow2", "raw", "ova"])
def test_an_upload_whose_libvirtd_is_killed_is_removed_on_a_new_connection(
    mortal: Libvirtd,
    tmp_path: Path,
    image_format: str,
) -> None:
    raw = os.urandom(24 * MIB)
    body = raw if image_format == "raw" else image(tmp_path, raw)
    description: GuestImport | None = DESCRIBED
    if image_format == "ova":
        description = None
        described = appliance(disk("first", SECOND), disk("second", raw))
        body = ova(described, {"first": image(tmp_path, SECOND), "second": body})
    session = connected(mortal)
    upload = Upload(body, dying(mortal, 12 * MIB))
    with pytest.raises(Exception) as caught:  # noqa: PT011  libvirt's, or one of ours
        guest_import(session, upload, None, mortal.pool, description)
    error = public(caught.value)
    assert isinstance(error, HypervisorUnavailable)
    assert "left" not in error.message
    assert others(mortal) == []
    sessions.disconnect(session)
