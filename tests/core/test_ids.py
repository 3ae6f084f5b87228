import pytest

from simplestack import is_uuid

UUID = "e13c6ee2-2b0f-4a5e-8a73-0d9a1ee4a0f1"


@pytest.mark.parametrize("text", [UUID, UUID.upper(), "00000000-0000-0000-0000-000000000000"])
def test_a_uuid_in_its_usual_form_is_one(text: str) -> None:
    assert is_uuid(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web-1",
        UUID.replace("-", ""),
        f"{{{UUID}}}",
        f"urn:uuid:{UUID}",
        f" {UUID}",
        f"{UUID}\n",
        f"{UUID}0",
        UUID[:-1],
        UUID.replace("e", "g"),
        UUID.replace("1", "\u0661"),
        UUID.replace("13c6", "1_36"),
        "e13c6ee22b0f-4a5e-8a73-0d9a-1ee4a0f1",
    ],
)
def test_another_text_is_none(text: str) -> None:
    assert not is_uuid(text)
