"""A guest with a disk of 2 GiB into a real libvirtd through the service, beside `virsh vol-upload`.

Both read the same image from the page cache, and make a volume first. The service defines a guest, too,
and checks the digests of an appliance.
"""

import hashlib
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

from benchmarks.comparisons import Comparison, take_turns
from benchmarks.kvm_service import TOKEN, KvmService, kvm_service
from benchmarks.requirements import path_of
from benchmarks.scale import Scale
from benchmarks.transfers import rates
from kvm.counterparts.libvirtd import Libvirtd
from simplestack.appliances import Appliance, ApplianceDisk, write_descriptor
from support.service import Service

_PIECE_BYTES = 16 * 1024**2


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare imports of a qcow2 image and of an appliance, and look at the worker's memory."""
    with kvm_service() as kvm:
        yield from _compare(kvm, scale)


def _compare(kvm: KvmService, scale: Scale) -> Iterator[Comparison]:
    size_bytes = scale.image_bytes // 2
    image, appliance = kvm.folder / "disk.qcow2", kvm.folder / "appliance.ova"
    _make_image(image, size_bytes)
    _make_appliance(appliance, image, size_bytes)
    for what, body, query, least in (
        ("qcow2", image, "?name=imported&memory=64", 0.8),
        # Only the service computes digests, on the two processors that libvirtd and the client use, too.
        ("OVA of our own", appliance, "", 0.6),
    ):
        imports = take_turns(
            scale.rounds,
            {
                "ours": partial(_import, kvm.service, body, query),
                "virsh": partial(_virsh, kvm.daemon, image, size_bytes),
            },
        )
        yield rates(
            "kvm-imports",
            f"import of {size_bytes / 1024**3:g} GiB, {what}",
            "virsh vol-upload",
            imports,
            least=least,
        )
    yield kvm.worker.memory("kvm-imports", "imports", most_mib=32)


def _make_image(path: Path, size_bytes: int) -> None:
    raw = path.with_suffix(".raw")
    with raw.open("wb") as file:
        for _ in range(size_bytes // _PIECE_BYTES):
            file.write(os.urandom(_PIECE_BYTES))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(path)], check=True)
    raw.unlink()


def _make_appliance(path: Path, image: Path, size_bytes: int) -> None:
    disk = ApplianceDisk(href=image.name, capacity_bytes=size_bytes, format="qcow2", bus="virtio")
    # As an export of ours is, whose digests are SHA-256.
    guest = Appliance(name="imported", memory_mib=64, cpus=1, machine="q35", disks=(disk,))
    document = write_descriptor(guest)
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, "guest.ovf", document)
        archive.add(image, image.name)
        _add(archive, "guest.mf", f"SHA256({image.name})= {digest}\n".encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, BytesIO(content))


def _import(service: Service, body: Path, query: str) -> float:
    """Return MB/s with curl's start, and delete the guest."""
    url = f"http://127.0.0.1:{service.port}/kvm/localhost/guests"
    headers = (
        "--header",
        TOKEN,
        "--header",
        "Content-Type: application/octet-stream",
        "--header",
        "Expect:",
    )
    curl = [path_of("curl"), "--silent", "--fail-with-body", *headers]
    upload = [*curl, "--request", "POST", "--upload-file", str(body), url + query]
    started = time.perf_counter()
    done = subprocess.run(upload, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    guest_id = json.loads(done.stdout)["id"]
    subprocess.run([*curl, "--request", "DELETE", f"{url}/{guest_id}"], check=True)
    return body.stat().st_size / 1e6 / seconds


def _virsh(daemon: Libvirtd, image: Path, size_bytes: int) -> float:
    """Return MB/s with virsh's start, and delete the volume."""
    virsh = [path_of("virsh"), "--quiet", "--connect", daemon.uri]
    place = ["--pool", daemon.pool]
    started = time.perf_counter()
    for command in (
        ["vol-create-as", daemon.pool, "uploaded.qcow2", str(size_bytes), "--format", "qcow2"],
        ["vol-upload", *place, "uploaded.qcow2", str(image)],
    ):
        subprocess.run([*virsh, *command], check=True, capture_output=True)
    seconds = time.perf_counter() - started
    subprocess.run([*virsh, "vol-delete", *place, "uploaded.qcow2"], check=True)
    return image.stat().st_size / 1e6 / seconds
