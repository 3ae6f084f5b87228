"""A real libvirtd for the tests, and sessions on it."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import libvirt
import pytest

from simplestack import Target
from simplestack.dispatch.warnings import current_warnings
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings
from support.built_once import built_once
from support.lacking import lacking, lacking_packages

from .counterparts import libvirtd as counterpart
from .counterparts.libvirtd import Libvirtd
from .counterparts.open_vswitch import COMMANDS as OPEN_VSWITCH_COMMANDS
from .image_files import Files
from .image_guests import Pool, refresh
from .switches import BRIDGE, OTHER_BRIDGE, TRUNK, define_networks, define_trunk
from .uefi_guests import CODE, files_in

GUEST_IMAGE = "kvm-guest-4.qcow2"
GUEST_IMAGE_PACKAGES = {
    "busybox": "busybox-static",
    "syslinux": "syslinux",
    "mcopy": "mtools",
    "mkfs.fat": "dosfstools",
    "cpio": "cpio",
}


def require_libvirtd(*, open_vswitch: bool = False) -> None:
    """Skip, unless a libvirtd of the tests' own can be started here, perhaps with Open vSwitch."""
    missing = counterpart.missing_packages()
    if open_vswitch:
        missing += counterpart.missing_packages(OPEN_VSWITCH_COMMANDS)
    if missing:
        lacking_packages(missing)
    if os.geteuid() != 0:
        lacking("needs root: libvirtd runs in namespaces of its own")


@pytest.fixture(scope="session")
def libvirtd() -> Iterator[Libvirtd]:
    """Run a libvirtd with a network, a pool, and an sshd beside it.

    It authenticates by SASL over tcp, by the client's certificate over tls, and not at all over unix.
    """
    require_libvirtd()
    daemon = counterpart.start(pool_in_memory=True)
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def other_libvirtd() -> Iterator[Libvirtd]:
    """Run a libvirtd the other way round: SASL over tls, nothing over tcp.

    It asks clients for no certificates, and its own is of ``localhost`` and no address.
    """
    require_libvirtd()
    daemon = counterpart.start(auth_tcp="none", auth_tls="sasl", network=False, server_names="DNS:localhost")
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def switched_libvirtd() -> Iterator[Libvirtd]:
    """Run a libvirtd with Open vSwitch, and with the networks of `switches`."""
    require_libvirtd(open_vswitch=True)
    daemon = counterpart.start(network=False, open_vswitch=True)
    for bridge in (BRIDGE, OTHER_BRIDGE):
        daemon.open_vswitch.add_bridge(bridge)
    with closing(libvirt.open(daemon.uri)) as connection:
        define_networks(connection)
    yield daemon
    daemon.stop()


@pytest.fixture
def switched_session(switched_libvirtd: Libvirtd) -> Iterator[KvmSession]:
    """Give a session on `switched_libvirtd`."""
    settings = KvmSettings(transport="unix", socket=switched_libvirtd.socket)
    with closing(libvirt.open(switched_libvirtd.uri)) as connection:
        yield KvmSession(connection, settings, Target("localhost"))


@pytest.fixture
def own_libvirtd() -> Iterator[Libvirtd]:
    """Run a libvirtd that the test may stop, freeze and kill, and that has no other clients."""
    require_libvirtd()
    daemon = counterpart.start(network=False)
    yield daemon
    daemon.stop()


@pytest.fixture
def settings(libvirtd: Libvirtd) -> KvmSettings:
    """Give settings that reach `libvirtd` over its unix socket; they have no accounts."""
    return KvmSettings(transport="unix", socket=libvirtd.socket)


@pytest.fixture
def session(libvirtd: Libvirtd, settings: KvmSettings) -> Iterator[KvmSession]:
    """Give a session of the hooks, made without the plugin's own connect."""
    connection = libvirt.open(libvirtd.uri)
    yield KvmSession(connection, settings, Target("localhost"))
    connection.close()


@pytest.fixture
def files(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Files]:
    """Make images in the pool and outside of it, and remove them again."""
    outside = libvirtd.folder / "outside"
    outside.mkdir(exist_ok=True)
    files = Files(libvirtd.pool_folder, outside)
    yield files
    for path in reversed(files.made):
        path.unlink(missing_ok=True)
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()


@pytest.fixture
def outside(libvirtd: Libvirtd) -> Path:
    """Give a folder in no pool, which only root may enter."""
    folder = libvirtd.folder / f"outside-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def secret(outside: Path) -> Path:
    """Give a file of the host's that no guest may read."""
    path = outside / "secret"
    path.write_bytes(b"the host's own secret ".ljust(512, b".") * 4096)
    path.chmod(0o600)
    return path


@pytest.fixture
def pool(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Pool]:
    files = Pool(libvirtd.pool_folder)
    yield files
    for path in files.made:
        path.unlink(missing_ok=True)
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()


@pytest.fixture
def nvram(libvirtd: Libvirtd) -> Iterator[Path]:
    """Give the folder in which libvirt keeps UEFI variables. A test leaves it as it was."""
    if not CODE.exists():
        lacking_packages(["ovmf"])
    folder = libvirtd.folder / "lib/qemu/nvram"
    before = files_in(folder)
    yield folder
    assert files_in(folder) == before


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """Collect what hooks warn of, as a request does."""
    warnings: list[str] = []
    token = current_warnings.set(warnings)
    yield warnings
    current_warnings.reset(token)


@pytest.fixture(scope="session")
def guest_image() -> Path:
    """Give the qcow2 image of a small Linux guest, which `make-guest-image` makes once."""
    missing = sorted(
        {package for command, package in GUEST_IMAGE_PACKAGES.items() if not shutil.which(command)}
    )
    if missing:
        lacking_packages(missing)
    return built_once(GUEST_IMAGE, _make_guest_image)


def _make_guest_image(image: Path) -> None:
    command = [str(Path(counterpart.__file__).parent / "make-guest-image"), str(image)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode != 0:
        lacking(f"make-guest-image failed: {made.stderr[-2000:]}")


@pytest.fixture(scope="session")
def guest_volume(libvirtd: Libvirtd, guest_image: Path) -> str:
    """Give the name of a volume in the pool of `libvirtd` that holds the guest's image."""
    name = "guest-image.qcow2"
    shutil.copyfile(guest_image, libvirtd.pool_folder / name)
    connection = libvirt.open(libvirtd.uri)
    connection.storagePoolLookupByName(libvirtd.pool).refresh(0)
    connection.close()
    return name


@pytest.fixture
def other_network(libvirtd: Libvirtd) -> Iterator[str]:
    """Run a second network, which has a bridge and nothing else, and remove it again."""
    name = f"other-{uuid.uuid4().hex[:8]}"
    connection = libvirt.open(libvirtd.uri)
    text = f"<network><name>{name}</name><bridge name='sso{name[-8:]}'/></network>"
    network = connection.networkDefineXML(text)
    network.create()
    yield name
    if network.isActive():
        network.destroy()
    network.undefine()
    connection.close()


@pytest.fixture
def trunk(libvirtd: Libvirtd) -> Iterator[str]:
    """Run a network of Open vSwitch, and remove it again with the VLANs that are made on its bridge.

    No guest can start on them: there is no such bridge.
    """
    with closing(libvirt.open(libvirtd.uri)) as connection:
        define_trunk(connection)
        yield TRUNK
        for network in connection.listAllNetworks():
            if f"<bridge name='{BRIDGE}'/>" in network.XMLDesc():
                network.destroy()
                network.undefine()


@pytest.fixture
def isos(pool: Pool, session: KvmSession, libvirtd: Libvirtd) -> tuple[Path, Path]:
    """Give two ISO images in the pool."""
    images = pool.path(".iso"), pool.path(".iso")
    for number, image in enumerate(images):
        image.write_bytes((b"medium %d" % number).ljust(2048, b".") * 32)
    refresh(session, libvirtd)
    return images


@pytest.fixture(scope="session")
def iso_volume(libvirtd: Libvirtd) -> str:
    """Give the name of a volume in the pool of `libvirtd` that is taken for an ISO image."""
    name = "netinst.iso"
    (libvirtd.pool_folder / name).write_bytes(bytes(65536))
    connection = libvirt.open(libvirtd.uri)
    connection.storagePoolLookupByName(libvirtd.pool).refresh(0)
    connection.close()
    return name


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool], float, str], None]:
    """Give `until(condition, seconds, what)`, which polls."""
    return counterpart.until
