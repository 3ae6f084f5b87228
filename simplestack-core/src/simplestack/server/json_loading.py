"""Decode JSON that msgspec's typed decoder rejects, to say what is wrong with it."""

import json
import math
import re
from typing import Any, NoReturn

#: The text before the first NaN or Infinity outside of strings.
_BEFORE_CONSTANT = re.compile(r'(?:[^"NI-]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"|-(?![NI]))*+', re.DOTALL)


def load_json(text: str) -> Any:
    """Decode JSON. Whole numbers become ints, also ``512.0``; numbers that are too large become infinity.

    Strings may have halves of surrogate pairs.

    :raises json.JSONDecodeError: the text is not JSON
    :raises RecursionError: the JSON is nested too deeply
    """

    def reject(_constant: str) -> NoReturn:
        before = _BEFORE_CONSTANT.match(text)
        raise json.JSONDecodeError("Invalid number", text, before.end() if before else 0)

    return json.loads(text, parse_constant=reject, parse_int=_integer, parse_float=_number)


def _integer(digits: str) -> float:
    try:
        return int(digits)
    except ValueError:  # Python limits the number of digits
        return -math.inf if digits.startswith("-") else math.inf


def _number(digits: str) -> float:
    number = float(digits)
    return int(number) if number.is_integer() else number
