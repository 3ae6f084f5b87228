"""Settings: what is refused at boot, and what is reported there."""

import msgspec
import pytest

from simplestack import SettingsError
from simplestack.identity.accounts import hash_password
from simplestack_kvm import plugin
from simplestack_kvm.settings import KvmSettings

HASH = hash_password("x")


def test_hashes_of_simplestack_hash_password_are_accounts() -> None:
    assert msgspec.convert({"accounts": {"alice": HASH}}, KvmSettings).accounts == {"alice": HASH}


@pytest.mark.parametrize(
    "raw",
    [
        {"accounts": {"alice": "wonderland"}},
        {"accounts": {"alice": ""}},
        {"transport": "ext"},
        {"socket": "relative/path"},
        {"tls_pki_path": "/x\n/y"},
        {"ssh_auth": "agent"},
        {"ssh_auth": "key"},
        {"ssh_auth": "key", "ssh_key_user": "root"},
        {"ssh_auth": "key", "ssh_key_user": "a b", "ssh_key_file": "/k"},
        {"keepalive_interval_seconds": 0},
        {"acounts": {}},
    ],
)
def test_settings_that_cannot_work_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, KvmSettings)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            {"accounts": {"alice": "wonderland"}},
            "accounts[...]: expected a hash from `simplestack hash-password`",
        ),
        ({"ssh_key_user": "a b"}, "ssh_key_user: expected a user name such as `virt`"),
    ],
    ids=str,
)
def test_a_setting_of_another_form_is_an_error_in_words(raw: dict[str, object], message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(raw, KvmSettings)
    error = SettingsError.of(raised.value, "hypervisors.kvm", KvmSettings)
    assert str(error) == f"hypervisors.kvm.{message}"


def test_missing_accounts_are_reported() -> None:
    assert any("no accounts" in line and "401" in line for line in plugin.warnings(KvmSettings()))
    assert plugin.warnings(KvmSettings(accounts={"alice": HASH})) == []
    key = KvmSettings(transport="ssh", ssh_auth="key", ssh_key_user="root", ssh_key_file="/k")
    assert any("no accounts" in line for line in plugin.warnings(key))
    assert plugin.warnings(KvmSettings(transport="ssh")) == []


@pytest.mark.parametrize("setting", ["tls_verify", "ssh_verify"])
def test_defect_09_verification_that_is_off_is_reported(setting: str) -> None:
    settings = msgspec.convert({setting: False, "accounts": {"alice": HASH}}, KvmSettings)
    lines = plugin.warnings(settings)
    assert any(setting in line for line in lines)


def test_plain_tcp_is_reported() -> None:
    lines = plugin.warnings(KvmSettings(transport="tcp", accounts={"alice": HASH}))
    assert any("tcp" in line for line in lines)
