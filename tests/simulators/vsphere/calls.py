"""A call that is under way: what the functions of `methods` get."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyVmomi import vim

from simulators.vsphere.database import Database, Object
from simulators.vsphere.schema import Method
from simulators.vsphere.sessions import Session, check
from simulators.vsphere.tasks import Work
from simulators.vsphere.wires import Wire

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator


@dataclass(frozen=True)
class Client:
    """Who is calling, as HTTP tells."""

    address: str
    agent: str


@dataclass(frozen=True)
class Call:
    """A call of a method on an object. The database is locked meanwhile."""

    simulator: "Simulator"
    method: Method
    #: The object whose method it is.
    target: Object
    session: Session | None
    client: Client
    #: Called with the session that the client has from now on; None if it has ended.
    keep_session: Callable[[Session | None], None]
    #: SOAP or VI-JSON.
    wire: Wire

    @property
    def version(self) -> str:
        """The API version that the client has asked for, as the tables name it."""
        return self.wire.version

    @property
    def database(self) -> Database:
        """All objects."""
        return self.simulator.database

    @property
    def own_session(self) -> Session:
        """The session; there is one unless the method needs no privilege."""
        if self.session is None:
            raise vim.fault.NotAuthenticated(object=self.target.ref, privilegeId="System.View")
        return self.session

    def resolve(self, ref: Any) -> Object:
        """Return the object of a reference in the parameters' data objects.

        :raises ManagedObjectNotFound: it is not there any more
        """
        return self.database.get(ref)

    def need(self, privilege: str, subject: Object) -> None:
        """Check that the caller has a privilege on another object than the target.

        :raises NoPermission: it does not
        """
        check(self.session, privilege, subject.ref)

    def start(self, work: Work, entity: Object | None = None, *, is_shared: bool = False) -> Any:
        """Start a task, and return its reference.

        :param work: what it does, with the database locked; called with `Running`, returns the task's result
        :param entity: that the task is shown with; by default the target
        :param is_shared: whether others that are shared may run on it meanwhile
        """
        return self.simulator.tasks.start(
            self.method,
            self.target if entity is None else entity,
            self.session,
            work,
            is_shared=is_shared,
        ).ref
