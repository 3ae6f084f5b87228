"""What clients read about wrong fields that only Xen has."""

import json
from typing import Any

import pytest

from simplestack.errors import InvalidArguments
from simplestack.server.bodies import decode_json
from simplestack_xen.hooks.guests_update import XenGuestUpdate


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"memory": "1G"},
            "`memory` is the string '1G': send a whole number of MiB (1 to 67108864) or an object (fields: ",
        ),
        (
            {"memory": {"memory_target": True}},
            "`memory.memory_target` is true: send a whole number of MiB (1 to 67108864) or null",
        ),
        ({"memory": {"target": 1}}, "unknown field `memory.target`; did you mean `memory_target`?"),
        ({"cpus": {"vcpus_max": 0}}, "`cpus.vcpus_max` is 0: send a whole number (1 to 4096) or null"),
        (
            {"memory_target_live": 1.5},
            "`memory_target_live` is 1.5: send a whole number of MiB (1 to 67108864)",
        ),
        ({"vcpu_settings": {"weight": 256}}, "`vcpu_settings.weight` is 256: send a string"),
        ({"paravirtualized": 1}, "`paravirtualized` is 1: send true, false or a string"),
    ],
    ids=str,
)
def test_a_message_names_the_value_and_what_is_accepted(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArguments) as raised:
        decode_json(json.dumps(body).encode(), XenGuestUpdate)
    assert raised.value.message.startswith(message)
