"""The image for cloud-init, read by programs that had no part in making it."""

import subprocess
from pathlib import Path

import pytest
from msgspec import yaml

from simplestack import CloudInit, nocloud_image
from support.nocloud import files_in_image

GUEST = "0b9c4d0e-1b7e-4e57-9a52-1f4c5f4b1f5a"
TEXT = "#cloud-config\n\tpassword: <&>'\"%\\ é \U0001f600 \ufffe\uffff\u2028 ${x}\n"


def test_an_image_has_the_files_that_cloud_init_looks_for_byte_for_byte() -> None:
    keys = ["ssh-ed25519 AAAA a@b", "ssh-rsa BBBB \x85\u2028\ufffe \U0001f600 \x9f \" \\ : # '"]
    data = CloudInit(user_data=TEXT, network_config=f"{TEXT}2", hostname="web-1.example.com", ssh_keys=keys)
    files = files_in_image(nocloud_image(GUEST, data))
    assert files["user-data"] == TEXT.encode()
    assert files["network-config"] == f"{TEXT}2".encode()
    assert yaml.decode(files["meta-data"]) == {
        "instance-id": GUEST,
        "local-hostname": "web-1.example.com",
        "public-keys": keys,
    }
    assert files.keys() == {"user-data", "network-config", "meta-data"}


def test_what_is_not_given_is_empty_or_left_out() -> None:
    files = files_in_image(nocloud_image(GUEST, CloudInit(hostname="a")))
    # cloud-init ignores a disk without user data.
    assert files.pop("user-data") == b""
    assert yaml.decode(files.pop("meta-data")) == {"instance-id": GUEST, "local-hostname": "a"}
    assert files == {}


def test_cloud_init_finds_the_image_by_its_label(tmp_path: Path) -> None:
    file = tmp_path / "image.iso"
    file.write_bytes(nocloud_image(GUEST, CloudInit(user_data="a")))
    found = subprocess.run(
        ["blkid", "-o", "value", "-s", "LABEL", file], check=True, capture_output=True, text=True
    )
    assert found.stdout == "cidata\n"


@pytest.mark.parametrize("length", [1, 2047, 2048, 2049, 65536])
def test_data_of_any_length_ends_where_it_ends(length: int) -> None:
    data = CloudInit(user_data="é" * length, network_config="n" * length)
    image = nocloud_image(GUEST, data)
    files = files_in_image(image)
    assert files["user-data"] == ("é" * length).encode()
    assert files["network-config"] == b"n" * length
    assert len(image) < 72 * 1024 + 3 * length + 4096
