"""Read query strings. Unknown parameters are rejected: they may be misspelt filters."""

from urllib.parse import parse_qsl

import falcon

from simplestack.errors import InvalidArguments
from simplestack.suggestions import did_you_mean


def read_query(request: falcon.Request, *known: str, what: str | None = None) -> dict[str, str]:
    """Return the query parameters by name.

    :param known: names of the accepted parameters
    :param what: name of the operation for messages. Default: the path
    :raises InvalidArguments: a parameter is unknown or given twice, or the query is not UTF-8
    """
    if not request.query_string:
        return {}
    try:
        pairs = parse_qsl(request.query_string, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise InvalidArguments("the query string is not percent-encoded UTF-8") from None
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise InvalidArguments(
                f"unknown query parameter {name[:100]!r}: {what or request.path} accepts "
                f"{', '.join(known) or 'none'}{did_you_mean(name, known)}"
            )
        if name in parameters:
            raise InvalidArguments(f"query parameter {name!r} is given twice: give it once")
        parameters[name] = value
    return parameters
