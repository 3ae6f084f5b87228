"""Requests with the session's cookie, as pyvmomi's stub writes and keeps them."""

import http.client
from collections.abc import Callable
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar

from simplestack import HttpsClient, HttpsRequest, Target
from simplestack_vmware.sdk import SoapAdapter
from simplestack_vmware.settings import VmwareSettings

T = TypeVar("T")

_COOKIE = "vmware_soap_session"


class Transport:
    """Sends requests to a host. It may be used by several threads.

    The connections are not pyvmomi's: those have no deadline, and check a pinned certificate only once. After
    the first mismatch they accept any.
    """

    def __init__(self, target: Target, settings: VmwareSettings) -> None:
        self.client = HttpsClient(target, settings, port=settings.port, max_idle=settings.max_calls_per_host)
        #: pyvmomi's own stub. It writes requests, and keeps the session's cookie.
        self.soap: Any = SoapAdapter.SoapStubAdapter(host=target.name, port=target.port or settings.port)
        #: Whether responses may set the session's cookie: until the login has succeeded.
        self.takes_cookies = True

    @property
    def session_id(self) -> str:
        """The session's ID, or an empty string before the first response."""
        return self.soap.GetSessionId() or ""

    def send(
        self, request: HttpsRequest, read: Callable[[http.client.HTTPResponse], T], limit_seconds: float
    ) -> T:
        """Send a request, and return the result of `read` for its response.

        :raises SimplestackError: as `HttpsClient.send`
        """

        def read_and_keep_cookie(response: http.client.HTTPResponse) -> T:
            result = read(response)
            if self.takes_cookies:
                self._keep_cookie(response)
            return result

        if self.soap.cookie:
            request = replace(request, headers={**request.headers, "Cookie": self.soap.cookie})
        return self.client.send(request, read_and_keep_cookie, limit_seconds)

    def close(self) -> None:
        """Close all idle connections."""
        self.client.close()

    def _keep_cookie(self, response: http.client.HTTPResponse) -> None:
        for header in response.headers.get_all("Set-Cookie", []):
            try:
                cookie = SimpleCookie(header).get(_COOKIE)
            except CookieError:
                continue
            if cookie is not None:
                self.soap.SetSessionId(cookie.value)
