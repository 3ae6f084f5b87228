"""A simulated pool, and sessions on it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simplestack import Credentials
from simplestack.dispatch.warnings import current_warnings
from simplestack_xen.hooks.guests_create import guest_create
from simplestack_xen.session import connect, disconnect
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.faults import Rule
from support.xapi import PASSWORD, USER, Pool, Trust, make_trust, running_pool

from .cloud_init_guests import WANTED

Connect = Callable[..., XenSession]
Order = Callable[..., None]


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return make_trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def pool(trust: Trust) -> Iterator[Pool]:
    with running_pool(trust) as made:
        yield made


@pytest.fixture
def guest(pool: Pool) -> str:
    """Give the id of a guest that is off, and has one disk and one interface."""
    uuid: str = pool.vm()["uuid"]
    return uuid


@pytest.fixture
def log_in() -> Iterator[Connect]:
    """Give `log_in(pool, user, password, **settings)`, the plugin's own."""
    made = []

    def logged_in(pool: Pool, user: str = USER, password: str = PASSWORD, **settings: object) -> XenSession:
        session = connect(pool.target, Credentials(user, password), pool.settings(**settings))
        made.append(session)
        return session

    yield logged_in
    for session in made:
        disconnect(session)


@pytest.fixture
def session(pool: Pool, log_in: Connect) -> XenSession:
    return log_in(pool)


@pytest.fixture
def web(session: XenSession) -> str:
    """Give the ID of a guest, web, with data for cloud-init and one disk."""
    return guest_create(session, WANTED).id


@pytest.fixture
def warned() -> Iterator[list[str]]:
    """Give the warnings for the client."""
    warnings: list[str] = []
    token = current_warnings.set(warnings)
    yield warnings
    current_warnings.reset(token)


@pytest.fixture(params=["JSON-RPC", "XML-RPC"])
def wire(request: pytest.FixtureRequest) -> str:
    """Give the name of a way to read, one after the other."""
    return str(request.param)


@pytest.fixture
def order() -> Order:
    """Give `order(pool, message, code=..., effect=...)`, which orders a fault."""

    def ordered(pool: Pool, message: str, **rule: Any) -> None:
        pool.simulator.faults.add(Rule(message=message, **rule))

    return ordered
