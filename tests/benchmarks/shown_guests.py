"""Showing one guest through the service, over a connection that is kept."""

import contextlib
import http.client
from collections.abc import Callable, Iterator, Mapping

from support.service import Service

#: So many requests reach each worker.
_FIRST_REQUESTS = 8


@contextlib.contextmanager
def showing(service: Service, path: str, headers: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Give a function that shows a guest.

    Each worker has its session and knows the guest already.

    :param path: the guest's
    """
    client = http.client.HTTPConnection(*service.address)

    def show() -> None:
        client.request("GET", path, headers=headers)
        response = client.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise SystemExit(f"the guest was not shown: {body!r}")

    with contextlib.closing(client):
        for _ in range(_FIRST_REQUESTS):
            show()
        yield show
