"""Digests of an archive's files, and the manifest that lists them (DSP0243, 5.1)."""

import hashlib
import re
from collections.abc import Mapping, Sequence

from simplestack.entities.limits import MIB
from simplestack.errors import InvalidArguments

MAX_MANIFEST_BYTES = MIB
_LINE = re.compile(r"(SHA-?(?:1|224|256|384|512)) ?\((.+)\) ?= ?([0-9A-Fa-f]+)", re.IGNORECASE | re.ASCII)
#: What manifests of OVF 1 and 2 have: computed as long as the manifest is not known.
_USUAL = ("sha1", "sha256")
#: What those of own exports have, which come last.
_OWN = ("sha256",)


class RunningDigests:
    """The digests of a file that is being read."""

    def __init__(self, algorithms: Sequence[str]) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}

    def update(self, piece: bytes) -> None:
        """Add the next bytes."""
        for running in self._hashes.values():
            running.update(piece)

    def digest(self, algorithm: str) -> str | None:
        """Return a digest; None if it is of an algorithm that was not computed."""
        running = self._hashes.get(algorithm)
        return None if running is None else running.hexdigest()


class Manifest:
    """The digests that a manifest lists, once it is known, and those of the files."""

    def __init__(self, descriptor: str, document: bytes, *, is_own: bool) -> None:
        """Begin with the first file of the archive, which is always before its manifest.

        :param descriptor: its name
        :param is_own: whether it is that of an export of Simplestack's own
        """
        self._usual = _OWN if is_own else _USUAL
        self._descriptor, self._document = descriptor, document
        self._listed: Mapping[str, tuple[str, str]] | None = None
        self._computed: dict[str, RunningDigests] = {}

    def digests_of(self, name: str) -> RunningDigests | None:
        """Begin a file. None if nothing will be compared with it."""
        if self._listed is None:
            algorithms: Sequence[str] = self._usual
        elif name in self._listed:
            algorithms = (self._listed[name][0],)
        else:
            return None
        self._computed[name] = RunningDigests(algorithms)
        return self._computed[name]

    def set(self, document: bytes) -> None:
        """Take what the archive's manifest lists.

        :raises InvalidArguments: it cannot be read, or there is another one
        """
        if self._listed is not None:
            raise InvalidArguments("the archive has two manifests")
        self._listed = _read(document)

    def check(self) -> None:
        """Compare, when all files have been read.

        :raises InvalidArguments: a file is another one than the manifest lists, or is not in the archive
        """
        for name, (algorithm, listed) in (self._listed or {}).items():
            if name == self._descriptor:
                digest: str | None = hashlib.new(algorithm, self._document, usedforsecurity=False).hexdigest()
            elif name in self._computed:
                digest = self._computed[name].digest(algorithm)
            else:
                raise InvalidArguments(f"the archive lacks {name[:80]!r}, which its manifest lists")
            if digest is None:
                raise InvalidArguments(
                    f"the manifest has a digest by {algorithm} of {name!r}, and comes after it: put the "
                    "manifest directly after the descriptor"
                )
            if digest != listed:
                raise InvalidArguments(f"{name!r} is damaged: its digest is not the one in the manifest")


def _read(document: bytes) -> dict[str, tuple[str, str]]:
    listed: dict[str, tuple[str, str]] = {}
    for line in document.decode(errors="replace").splitlines():
        if not line.strip():
            continue
        fields = _LINE.fullmatch(line.strip())
        if fields is None:
            raise InvalidArguments(f"the manifest has a line that is no digest: {line[:80]!r}")
        name = fields[2]
        if name in listed:
            raise InvalidArguments(f"the manifest lists {name[:80]!r} twice")
        listed[name] = (fields[1].replace("-", "").lower(), fields[3].lower())
    return listed
