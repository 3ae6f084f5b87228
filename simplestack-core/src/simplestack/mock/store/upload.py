"""The client's bytes on their way in, however they are cut into pieces."""

from simplestack import ImportStream, InvalidArguments


class Upload:
    """A stream whose beginning can be looked at before it is read."""

    def __init__(self, stream: ImportStream, size: int | None) -> None:
        self._stream = stream
        self._size = size
        self._ahead = b""
        self._came = 0

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes without taking them, fewer only at the end."""
        while len(self._ahead) < size and (piece := self._receive(size - len(self._ahead))):
            self._ahead += piece
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """Take up to `size` bytes, ``b""`` only at the end.

        :raises InvalidArguments: the end comes before the size that the client had announced
        """
        if self._ahead:
            taken, self._ahead = self._ahead[:size], self._ahead[size:]
            return taken
        return self._receive(size)

    def exactly(self, size: int) -> bytes:
        """Take `size` bytes. They are held in memory: ask for little at once.

        :raises InvalidArguments: the image ends before
        """
        pieces = []
        missing = size
        while missing:
            piece = self.read(missing)
            if not piece:
                raise InvalidArguments(
                    f"the image ends after {self._came} bytes, before its end: send all of it"
                )
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _receive(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._came += len(piece)
        if not piece and self._size is not None and self._came < self._size:
            raise InvalidArguments(
                f"the image ends after {self._came} of the {self._size} bytes announced: send all of it"
            )
        return piece
