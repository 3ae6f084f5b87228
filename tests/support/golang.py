"""Programs in Go that drive or imitate vSphere, built from Debian's sources of govmomi."""

import hashlib
import os
import subprocess
from pathlib import Path

from support.built_once import CACHE, built_once

#: Where Debian's packages have the sources of Go libraries.
GOPATH = Path("/usr/share/gocode")
_BUILD_SECONDS = 600


def go_program(name: str, source: Path) -> Path:
    """Return a program, which is built once. What it shares with other programs is compiled once."""

    def build(program: Path) -> None:
        own = {"GO111MODULE": "off", "GOPATH": str(GOPATH), "GOCACHE": str(CACHE / "go")}
        command = ["go", "build", "-o", str(program), str(source)]
        subprocess.run(command, check=True, env=os.environ | own, cwd=source.parent, timeout=_BUILD_SECONDS)

    return built_once(f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}", build)
