"""What a simulator refuses."""

from collections.abc import Callable
from typing import Any

import pytest
import XenAPI


def refused(call: Callable[..., object], *parameters: Any) -> list[str]:
    """Return what a call of the SDK is refused with."""
    with pytest.raises(XenAPI.Failure) as raised:
        call(*parameters)
    details: list[str] = raised.value.details
    return details
