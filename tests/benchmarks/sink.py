"""A server that reads each request's body into one buffer and drops it: `python sink.py PORT`."""

import re
import socket
import sys

_BUFFER_BYTES = 1024 * 1024
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def serve(port: int) -> None:
    """Serve one connection after the other."""
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                _drop(connection, buffer)


def _drop(connection: socket.socket, buffer: memoryview) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(8192)
    found = _LENGTH.search(head)
    missing = (int(found[1]) if found else 0) - len(head.partition(b"\r\n\r\n")[2])
    while missing > 0:
        missing -= connection.recv_into(buffer, min(missing, len(buffer)), socket.MSG_WAITALL)
    connection.sendall(_ANSWER)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
