"""Images for cloud-init, as libarchive reads them."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from support.lacking import lacking_packages


def files_in_image(image: bytes) -> dict[str, bytes]:
    """Return the files in an ISO image by name."""
    if shutil.which("bsdtar") is None:
        lacking_packages(["libarchive-tools"])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["bsdtar", "-xf", "-", "-C", folder], input=image, check=True)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
