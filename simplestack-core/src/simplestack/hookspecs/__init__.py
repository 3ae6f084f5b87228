"""The contract between core and the hypervisor plugins: one hook for each atomic operation.

Each module holds the specs of one entity. A plugin implements a hook as a function of the same name,
marked with :data:`simplestack.hookimpl`, in a module that its description lists:

.. code-block:: python

    @hookimpl
    def guest_info(session: MySession, guest_id: str) -> Guest:
        record = session.api.lookup(guest_id)  # the SDK's own call
        if record is None:
            raise EntityNotFound("Guest", guest_id)
        return Guest(...)

What holds for all of them:

- Arguments are matched by name: take those you need, in any order. ``session`` is what the plugin's
  ``connect`` returned. No defaults, no keyword-only arguments.
- A function with a hook's name that is not marked is an error: mark it, or rename it.
- A plugin can wrap a hook that it implements: mark a generator function of another name with
  ``@hookimpl(wrapper=True, specname="guest_delete")`` and end it with ``return (yield)``. What it returns is
  checked like the result of the hook.
- Ids and names arrive as the client gave them, percent-decoded, at most 1,024 characters, without control
  characters; those of a path are never ``.`` or ``..``. They are data: never paste them into XML, URLs or
  commands.
- What a hook returns is checked. All fields of an entity, with those that your subclass adds, have the types
  that they are annotated with. An ``id`` becomes part of a path: it is not empty, ``.`` or ``..``, and has no
  control characters. Anything else is a defect: clients get a 500, and the log names item, field and types.
- Bodies are validated structs. Annotate the parameter with a subclass of the struct to accept more fields,
  and the result with a subclass of the entity to return more. These annotations are evaluated when the plugin
  is loaded; one that is not the hook's type is an error. Clients read what is wrong with a field in words
  made from its type; ``Annotated[int, Meta(ge=1, extra={"words": "a whole number of MiB"})]`` adds its unit.
- An id that does not exist, or whose disk, interface or snapshot belongs to another guest, raises
  :class:`~simplestack.EntityNotFound`.
- What a docstring says is the REST contract's reference too, but for paragraphs that begin with "Plugins:".
- A hook that a plugin leaves out answers 501 NotImplementedError; one that raises
  :class:`NotImplementedError` with a reason does too. Nobody writes stubs.
- A hook whose session the hypervisor has forgotten raises :class:`~simplestack.SessionExpired`, if nothing
  has been done yet: core makes a new session and calls it again.
- Any other error of the SDK is translated into a :class:`~simplestack.SimplestackError`. What is not
  translated is a defect and answers 500.
- A failure half-way leaves nothing behind: no half-made guest, volume, task or session.
- A list costs a constant number of round trips, whatever its length.
"""

import inspect

from simplestack.hookspecs import (
    disks,
    guests,
    hosts,
    interfaces,
    media,
    networks,
    pools,
    power,
    snapshots,
    storages,
    tags,
    transfer,
)
from simplestack.markers import PROJECT_NAME

#: In the order of the REST contract.
SPEC_MODULES = (
    pools,
    hosts,
    storages,
    guests,
    transfer,
    power,
    disks,
    media,
    networks,
    interfaces,
    snapshots,
    tags,
)

#: The parameters of each hookspec.
SPEC_PARAMETERS = {
    name: tuple(inspect.signature(function).parameters)
    for module in SPEC_MODULES
    for name, function in vars(module).items()
    if hasattr(function, f"{PROJECT_NAME}_spec")  # the attribute that ``@hookspec`` sets
}
