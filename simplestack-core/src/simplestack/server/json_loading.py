"""JSON of clients as Python's values, for what msgspec's typed decoder rejects."""

import json
import math
import re
from typing import Any, NoReturn

#: What comes before the first NaN or Infinity that is not in a string.
_BEFORE_CONSTANT = re.compile(r'(?:[^"NI-]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"|-(?![NI]))*+', re.DOTALL)


def load_json(text: str) -> Any:
    """Decode JSON: whole numbers as ints, however they are written; infinity for those that are too large.

    Strings may have halves of surrogate pairs.

    :raises json.JSONDecodeError: it is not JSON
    :raises RecursionError: it is nested too deeply
    """

    def reject(_constant: str) -> NoReturn:
        before = _BEFORE_CONSTANT.match(text)
        raise json.JSONDecodeError("Invalid number", text, before.end() if before else 0)

    return json.loads(text, parse_constant=reject, parse_int=_integer, parse_float=_number)


def _integer(digits: str) -> float:
    try:
        return int(digits)
    except ValueError:  # Python has a limit to the digits
        return -math.inf if digits.startswith("-") else math.inf


def _number(digits: str) -> float:
    number = float(digits)
    return int(number) if number.is_integer() else number
