"""A file system that can hang, as NFS does when its server is away: FUSE, spoken to the kernel by hand.

    python hanging_filesystem.py MOUNTPOINT FOLDER

It shows the files of a folder. Stop the process (SIGSTOP), and every call that needs the file system waits in
the kernel; continue it, and they go on. When the process ends, they fail.
https://docs.kernel.org/filesystems/fuse.html
"""

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Callable
from pathlib import Path

_LOOKUP, _FORGET, _GETATTR, _SETATTR, _OPEN, _READ, _WRITE, _STATFS, _RELEASE = 1, 2, 3, 4, 14, 15, 16, 17, 18
_MKNOD, _UNLINK = 8, 10
_FSYNC, _FLUSH, _INIT, _OPENDIR, _READDIR, _RELEASEDIR, _ACCESS, _BATCH_FORGET = (
    20,
    25,
    26,
    27,
    28,
    29,
    34,
    42,
)
_HEADER = struct.Struct("<IIQQIIII")
_ROOT = 1
_BLOCK_BYTES = 4096


class _Files:
    """The folder's files, by the numbers that the kernel knows them by."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._handles: dict[int, int] = {}
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            _LOOKUP: self._lookup,
            _GETATTR: lambda node, _: struct.pack("<QII", 0, 0, 0) + self._attributes(node),
            _SETATTR: lambda node, _: struct.pack("<QII", 0, 0, 0) + self._attributes(node),
            _MKNOD: self._make,
            _UNLINK: self._remove,
            _OPEN: lambda _node, _: bytes(16),
            _OPENDIR: lambda _node, _: bytes(16),
            _READ: self._read,
            _WRITE: self._write,
            _READDIR: self._list,
            _STATFS: lambda _node, _: struct.pack(
                "<5Q4I24x", 1 << 20, 1 << 19, 1 << 19, 1000, 900, _BLOCK_BYTES, 255, _BLOCK_BYTES, 0
            ),
            **dict.fromkeys((_RELEASE, _RELEASEDIR, _FLUSH, _FSYNC, _ACCESS), lambda _node, _: b""),
        }

    def answer(self, operation: int, node: int, body: bytes) -> bytes:
        """Do what the kernel asks for."""
        if operation not in self._answers:
            raise OSError(errno.ENOSYS, "not of this file system")
        return self._answers[operation](node, body)

    def _number(self, name: str) -> int:
        if name not in self._names:
            self._names.append(name)
        return self._names.index(name) + _ROOT + 1

    def _path(self, node: int) -> Path:
        return self._folder if node == _ROOT else self._folder / self._names[node - _ROOT - 1]

    def _lookup(self, _node: int, body: bytes) -> bytes:
        name = body.rstrip(b"\0").decode()
        (self._folder / name).stat()
        number = self._number(name)
        # Nothing is valid for any time, so that the kernel asks again each time.
        return struct.pack("<QQQQII", number, 0, 0, 0, 0, 0) + self._attributes(number)

    def _make(self, node: int, body: bytes) -> bytes:
        name = body[16:]  # after the mode, the device, the mask and what fills up
        (self._folder / name.rstrip(b"\0").decode()).touch()
        return self._lookup(node, name)

    def _remove(self, _node: int, body: bytes) -> bytes:
        name = body.rstrip(b"\0").decode()
        (self._folder / name).unlink()
        return b""

    def _attributes(self, node: int) -> bytes:
        found = self._path(node).stat()
        mode = stat.S_IFDIR | 0o755 if node == _ROOT else stat.S_IFREG | 0o666
        blocks = (found.st_size + 511) // 512
        return struct.pack("<6Q10I", node, found.st_size, blocks, *[0] * 6, mode, 1, 0, 0, 0, _BLOCK_BYTES, 0)

    def _file(self, node: int) -> int:
        if node not in self._handles:
            self._handles[node] = os.open(self._path(node), os.O_RDWR)
        return self._handles[node]

    def _read(self, node: int, body: bytes) -> bytes:
        _handle, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(self._file(node), size, offset)

    def _write(self, node: int, body: bytes) -> bytes:
        _handle, offset, size = struct.unpack_from("<QQI", body)
        return struct.pack("<II", os.pwrite(self._file(node), body[40 : 40 + size], offset), 0)

    def _list(self, _node: int, body: bytes) -> bytes:
        _handle, offset, size = struct.unpack_from("<QQI", body)
        found = b""
        for position, name in enumerate(sorted(os.listdir(self._folder)), 1):  # noqa: PTH208  names alone
            text = name.encode()
            entry = struct.pack("<QQII", self._number(name), position, len(text), stat.S_IFREG >> 12) + text
            entry += bytes(-len(entry) % 8)
            if position > offset and len(found) + len(entry) <= size:
                found += entry
        return found


def serve(device: int, files: _Files) -> None:
    """Answer the kernel until the file system is unmounted."""
    while True:
        try:
            request = os.read(device, 1 << 20)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return
            if error.errno in (errno.EINTR, errno.ENOENT):
                continue
            raise
        _size, operation, unique, node, *_ = _HEADER.unpack_from(request)
        if operation in (_FORGET, _BATCH_FORGET):
            continue
        body, problem = b"", 0
        try:
            if operation == _INIT:
                body = struct.pack("<4IHHIIHHI28x", 7, 31, 0, 0, 12, 9, 1 << 17, 1, 32, 0, 0)
            else:
                body = files.answer(operation, node, request[_HEADER.size :])
        except OSError as error:
            problem = -(error.errno or errno.EIO)
        os.write(device, struct.pack("<IiQ", 16 + len(body), problem, unique) + body)


def main() -> None:
    """Mount, say so, and serve."""
    mountpoint, folder = sys.argv[1:]
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"hanging", mountpoint.encode(), b"fuse", 0, options) != 0:
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
    print("mounted", flush=True)  # noqa: T201  what the caller waits for
    serve(device, _Files(Path(folder)))


if __name__ == "__main__":
    main()
