"""A libvirtd of the tests' own, in namespaces of its own: unix socket, TCP with SASL, TLS, and an sshd.

Nothing of the machine's libvirt is read or changed, and nothing is left: the kernel ends everything in the
PID namespace with its init. Only the bridge of the network and a pool's file system live outside; stopping
takes them down, or the next start if the process was killed.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import libvirt
import psutil

from . import reservations
from .open_vswitch import OpenVSwitch

HERE = Path(__file__).parent
#: The size of the pool's file system. More than the machine's memory is fine: disks of the tests are sparse.
POOL_SIZE = "256G"
START_SECONDS = 60
STOP_SECONDS = 20

COMMANDS = {
    "libvirtd": "libvirt-daemon-system",
    "virtlogd": "libvirt-daemon-system",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "dnsmasq": "dnsmasq-base",
    "saslpasswd2": "sasl2-bin",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "mount": "mount",
}

_LIBVIRTD_CONF = """
listen_tls = 1
listen_tcp = 1
listen_addr = "127.0.0.1"
tcp_port = "{tcp_port}"
tls_port = "{tls_port}"
auth_tcp = "{auth_tcp}"
auth_tls = "{auth_tls}"
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
key_file = "{folder}/pki/serverkey.pem"
cert_file = "{folder}/pki/servercert.pem"
ca_file = "{folder}/pki/cacert.pem"
tls_no_verify_certificate = {any_client:d}
keepalive_interval = 5
log_filters = "1:none"
log_outputs = "3:file:{folder}/log/libvirtd.log"
"""

#: At each start of a guest, libvirt asks QEMU for each of hundreds of features of the processor, and QEMU
#: reads commands byte by byte: a third of the tests' processor time. With this it asks for all at once.
_QEMU_CONF = """
capability_filters = [ "cpu-unavailable-features" ]
"""

_SSHD_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/ssh/host_key
AuthorizedKeysFile {folder}/ssh/service_key.pub
PasswordAuthentication yes
PermitEmptyPasswords yes
KbdInteractiveAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
MaxAuthTries 1
PidFile none
"""


@dataclass(eq=False)
class Libvirtd:
    """A running libvirtd and how to reach it."""

    folder: Path
    #: Locked until the daemon is stopped.
    owner: IO[bytes] = field(repr=False)
    tcp_port: int
    tls_port: int
    ssh_port: int
    #: The virtual network: NAT, DHCP, active.
    network: str
    bridge: str
    #: The storage pool: a folder, active.
    pool: str = "simplestack-test"
    #: Known to SASL (tcp), and to sshd.
    username: str = "operator"
    #: So is this one, who would like to be part of a URI.
    hostile_username: str = "o?keyfile=x#%41+"
    #: Of both.
    password: str = "correct horse: battery/staple?"
    #: Whom sshd lets in without asking for a password.
    open_username: str = "anybody"
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def socket(self) -> str:
        return str(self.folder / "run/libvirt/libvirt-sock")

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def open_vswitch(self) -> OpenVSwitch:
        """Open vSwitch, of a libvirtd that was started with it."""
        return OpenVSwitch(self.folder / "run/openvswitch")

    @property
    def pki(self) -> str:
        """Folder with cacert.pem, clientcert.pem, clientkey.pem."""
        return str(self.folder / "pki")

    @property
    def known_hosts(self) -> str:
        return str(self.folder / "ssh/known_hosts")

    @property
    def service_key(self) -> str:
        return str(self.folder / "ssh/service_key")

    @property
    def pool_folder(self) -> Path:
        return self.folder / "pool"

    def pid(self) -> int:
        """Return libvirtd's own process id, as seen from outside."""
        assert self.process is not None
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                same = (entry / "ns/pid").readlink() == Path(f"/proc/{self._init()}/ns/pid").readlink()
                if same and (entry / "comm").read_text().strip() == "libvirtd":
                    return int(entry.name)
            except OSError:  # it ended while we looked
                continue
        raise AssertionError("libvirtd is not running")

    def connections(self) -> int:
        """Return how many clients are connected over TCP."""
        return sum(
            found.status == psutil.CONN_ESTABLISHED and found.laddr[1:] == (self.tcp_port,)
            for found in psutil.net_connections("tcp4")
        )

    def _init(self) -> int:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def stop(self) -> None:
        """End it and everything that it started, and remove its files."""
        assert self.process is not None
        try:
            self._take_down()
            os.kill(self._init(), signal.SIGTERM)
            self.process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, libvirt.libvirtError):
            pass  # the namespace's init is killed below, and the kernel kills the rest
        finally:
            self.process.kill()
            self.process.wait()
            reservations.remove(self.folder)
            self.owner.close()

    def _take_down(self) -> None:
        connection = libvirt.open(self.uri)
        for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            domain.destroy()
        for network in connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE):
            network.destroy()
        connection.close()


def missing_packages(commands: Mapping[str, str] = COMMANDS) -> list[str]:
    """Return the Debian packages that must be installed first.

    :param commands: the package of each command
    """
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return sorted(
        {package for command, package in commands.items() if not shutil.which(command, path=search)}
    )


def start(
    *,
    auth_tcp: str = "sasl",
    auth_tls: str = "none",
    network: bool = True,
    server_names: str = "DNS:localhost,IP:127.0.0.1",
    open_vswitch: bool = False,
    pool_in_memory: bool = False,
) -> Libvirtd:
    """Start a libvirtd with an active storage pool and an active network.

    :param server_names: who the server's certificate says it is
    :param open_vswitch: start Open vSwitch beside it, both in a network namespace of their own, which only
        the unix sockets lead into
    :param pool_in_memory: give the pool a file system of its own, so that what others write on this machine
        does not show in its free space
    """
    with reservations.alone():
        reservations.remove_left_folders()
        folder, owner = reservations.make_folder()
        number = reservations.free_subnet()
        tcp_port, tls_port, ssh_port = reservations.free_ports(3)
        daemon = Libvirtd(
            folder=folder,
            owner=owner,
            tcp_port=tcp_port,
            tls_port=tls_port,
            ssh_port=ssh_port,
            network="simplestack-test",
            bridge=f"sstest{number}",
        )
        _write_configuration(daemon, auth_tcp, auth_tls)
        make_certificates(folder / "pki", server_names)
        if pool_in_memory:
            _mount_pool(daemon)
        _run(daemon, open_vswitch=open_vswitch)
        try:
            connection = _wait_for_connection(daemon)
            _define_pool(connection, daemon)
            if network:
                _define_network(connection, daemon, number)
            connection.close()
        except BaseException:
            daemon.stop()
            raise
    return daemon


def _run(daemon: Libvirtd, *, open_vswitch: bool) -> None:
    folder = daemon.folder
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if open_vswitch:
        command.append("--net")
        (folder / "run/openvswitch").mkdir()
    with (folder / "log/init.log").open("wb") as log:
        daemon.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command, str(HERE / "run-private"), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _write_configuration(daemon: Libvirtd, auth_tcp: str, auth_tls: str) -> None:
    folder = daemon.folder
    for name in ("run/libvirt", "lib", "cache/qemu", "log/qemu", "etc-sasl2", "pki", "ssh", "pool"):
        (folder / name).mkdir(parents=True)
    shutil.copytree("/etc/libvirt", folder / "etc-libvirt", symlinks=True)
    shutil.rmtree(folder / "etc-libvirt/qemu", ignore_errors=True)
    (folder / "etc-libvirt/libvirtd.conf").write_text(
        _LIBVIRTD_CONF.format(
            folder=folder,
            tcp_port=daemon.tcp_port,
            tls_port=daemon.tls_port,
            auth_tcp=auth_tcp,
            auth_tls=auth_tls,
            any_client=auth_tls != "none",
        )
    )
    with (folder / "etc-libvirt/qemu.conf").open("a") as settings:
        settings.write(_QEMU_CONF)
    _make_sasl_users(daemon)
    _make_ssh(daemon)


def make_certificates(folder: Path, server_names: str) -> None:
    """Make an authority, a server's certificate and a client's."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl(
        "req", "-x509", *curve, "-subj", "/CN=Simplestack tests", "-keyout", "cakey.pem", "-out", "cacert.pem"
    )
    names = {
        "server": ("localhost", server_names),
        "client": ("service", "DNS:service"),
    }
    for name, (common, alternative) in names.items():
        signed = ["-CA", "cacert.pem", "-CAkey", "cakey.pem", "-addext", f"subjectAltName={alternative}"]
        files = ["-keyout", f"{name}key.pem", "-out", f"{name}cert.pem"]
        extension = ["-addext", "basicConstraints=critical,CA:FALSE"]
        openssl("req", "-x509", *curve, *signed, *extension, "-subj", f"/CN={common}", *files)


def _make_sasl_users(daemon: Libvirtd) -> None:
    database = daemon.folder / "sasldb2"
    (daemon.folder / "etc-sasl2/libvirt.conf").write_text(
        f"mech_list: scram-sha-256 digest-md5\nsasldb_path: {database}\n"
    )
    for username in (daemon.username, daemon.hostile_username):
        subprocess.run(
            ["saslpasswd2", "-p", "-c", "-f", str(database), "-a", "libvirt", username],
            input=daemon.password.encode(),
            check=True,
            capture_output=True,
        )


def _make_ssh(daemon: Libvirtd) -> None:
    folder = daemon.folder
    for name in ("host_key", "service_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "ssh" / name)], check=True
        )
    host_key = (folder / "ssh/host_key.pub").read_text().split()
    lines = [f"[{name}]:{daemon.ssh_port} {host_key[0]} {host_key[1]}" for name in ("localhost", "127.0.0.1")]
    (folder / "ssh/known_hosts").write_text("\n".join(lines) + "\n")
    (folder / "sshd_config").write_text(_SSHD_CONFIG.format(folder=folder, port=daemon.ssh_port))
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"],
        input=daemon.password,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    hashes = {daemon.username: hashed, daemon.hostile_username: hashed, daemon.open_username: ""}
    # Uid 0 under other names: libvirtd lets root do everything, and root's own password stays what it is.
    users = "".join(f"{name}:x:0:0::/nonexistent:/bin/sh\n" for name in hashes)
    shadows = "".join(f"{name}:{hashed}:19000:0:99999:7:::\n" for name, hashed in hashes.items())
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + users)
    (folder / "shadow").write_text(Path("/etc/shadow").read_text() + shadows)
    (folder / "shadow").chmod(0o600)


def _wait_for_connection(daemon: Libvirtd) -> "libvirt.virConnect":
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return libvirt.open(daemon.uri)
        except libvirt.libvirtError as error:
            assert daemon.process is not None
            if daemon.process.poll() is not None or time.monotonic() > deadline:
                logs = "\n".join(path.read_text() for path in (daemon.folder / "log").glob("*.log"))
                raise RuntimeError(f"libvirtd did not start: {error}\n{logs}") from None
            time.sleep(0.05)


def _mount_pool(daemon: Libvirtd) -> None:
    """Mount the pool's file system: before the daemon's namespace is made, so that both sides see it."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={POOL_SIZE},mode=755", daemon.network]
    subprocess.run([*mount, str(daemon.pool_folder)], check=True, capture_output=True)


def _define_pool(connection: "libvirt.virConnect", daemon: Libvirtd) -> None:
    path = f"<target><path>{daemon.pool_folder}</path></target>"
    connection.storagePoolDefineXML(f"<pool type='dir'><name>{daemon.pool}</name>{path}</pool>").create()


def _define_network(connection: "libvirt.virConnect", daemon: Libvirtd, number: int) -> None:
    """Define a network whose guests have their addresses at once.

    A spanning tree would hold back what a guest sends first, and dnsmasq would ping an address for 3 s.
    """
    dhcp = f"<dhcp><range start='192.168.{number}.10' end='192.168.{number}.200'/></dhcp>"
    connection.networkDefineXML(
        "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>"
        f"<name>{daemon.network}</name><forward mode='nat'/><bridge name='{daemon.bridge}' stp='off'/>"
        f"<ip address='192.168.{number}.1' netmask='255.255.255.0'>{dhcp}</ip>"
        "<dnsmasq:options><dnsmasq:option value='no-ping'/></dnsmasq:options></network>"
    ).create()


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not so after {seconds:g} s")
        time.sleep(0.05)
