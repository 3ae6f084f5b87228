"""The disk that cloud-init reads in a guest: its data source NoCloud, as an ISO image.

https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
"""

import io
import json
from typing import TYPE_CHECKING

from simplestack.entities.cloud_init import CloudInit
from simplestack.lazy_sdk import LazySdk

if TYPE_CHECKING:
    import pycdlib
else:
    pycdlib = LazySdk("pycdlib", advice="run `pip install pycdlib` there")

_LABEL = "cidata"
#: A regular file that only its owner, root, may read.
_FILE_MODE = 0o100400


def nocloud_image(instance_id: str, data: CloudInit) -> bytes:
    """Return an ISO image with data for cloud-init, of about 70 KB and the length of the data.

    :param instance_id: what cloud-init tells a new guest by: the ID of the guest
    :raises HypervisorUnavailable: pycdlib is not installed
    """
    files = {"user-data": data.user_data or "", "meta-data": _meta_data(instance_id, data)}
    if data.network_config is not None:
        files["network-config"] = data.network_config
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=_LABEL)
    for number, (name, text) in enumerate(files.items()):
        content = text.encode()
        image.add_fp(
            io.BytesIO(content),
            len(content),
            f"/FILE{number}.;1",
            # Linux shows the names of Rock Ridge, other systems those of Joliet.
            rr_name=name,
            joliet_path=f"/{name}",
            file_mode=_FILE_MODE,
        )
    written = io.BytesIO()
    image.write_fp(written)
    image.close()
    return written.getvalue()


def _meta_data(instance_id: str, data: CloudInit) -> str:
    """Return the metadata as JSON, which is YAML, too."""
    fields: dict[str, object] = {"instance-id": instance_id}
    if data.hostname is not None:
        fields["local-hostname"] = data.hostname
    if data.ssh_keys:
        fields["public-keys"] = data.ssh_keys
    # YAML does not accept every character as it is, and reads an escaped half of a surrogate pair as it is.
    text = json.dumps(fields, ensure_ascii=False)
    return "".join(map(_escaped, text)) + "\n"


def _escaped(character: str) -> str:
    return character if character.isascii() and character != "\x7f" else f"\\U{ord(character):08x}"
