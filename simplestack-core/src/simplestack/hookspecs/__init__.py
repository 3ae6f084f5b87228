"""The contract between core and hypervisor plugins: one hook for each atomic operation.

Each module has the hookspecs of one entity. A plugin implements a hook as a function of the same name,
marked with :data:`simplestack.hookimpl`, in a module that its description lists:

.. code-block:: python

    @hookimpl
    def guest_info(session: MySession, guest_id: str) -> Guest:
        record = session.api.lookup(guest_id)  # the SDK's own call
        if record is None:
            raise EntityNotFound("Guest", guest_id)
        return Guest(...)

Rules for all hooks:

- Arguments are matched by name: take those that you need, in any order. ``session`` is what the plugin's
  ``connect`` returned. Do not use defaults or keyword-only arguments.
- A function with a hook's name but without the marker is an error: mark it, or rename it.
- A plugin can wrap a hook that it implements: mark a generator function of another name with
  ``@hookimpl(wrapper=True, specname="guest_delete")`` and end it with ``return (yield)``. Core checks what it
  returns like the result of the hook.
- IDs and names are what the client sent, percent-decoded: at most 1,024 characters, without control
  characters. Those from a path are never ``.`` or ``..``. Treat them as data: never paste them into XML, URLs
  or commands.
- Core checks what a hook returns. Every field of an entity, including the fields of your subclass, must have
  its annotated type. An ``id`` becomes part of a path: it must not be empty, ``.`` or ``..``, and must not
  have control characters. Otherwise clients get 500, and the log names the item, the field and the types.
- Bodies are validated structs. Annotate the parameter with a subclass of the struct to accept more fields,
  and the return value with a subclass of the entity to return more. Core evaluates the annotations when it
  loads the plugin; one that is neither the hook's type nor a subclass is an error. Error messages describe a
  field by its type; ``Annotated[int, Meta(ge=1, extra={"words": "a whole number of MiB"})]`` adds the unit.
- Raise :class:`~simplestack.EntityNotFound` for an ID that does not exist, and for a disk, interface or
  snapshot of another guest.
- The docstrings of the hooks are also the REST reference, except paragraphs that begin with "Plugins:".
- Leave out hooks that the hypervisor cannot support: clients get 501 NotImplementedError. To reject a single
  call in this way, raise :class:`NotImplementedError` with the reason. Do not write stubs.
- When the hypervisor has ended the session and the hook has done nothing yet, raise
  :class:`~simplestack.SessionExpired`: core connects again and repeats the call.
- Translate all other errors of the SDK into a :class:`~simplestack.SimplestackError`. An untranslated error
  is a defect: clients get 500.
- A call that fails leaves nothing behind: no partial guest, volume, task or session.
- A list takes a constant number of round trips, whatever its length.
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

#: The modules with hookspecs, in the order of the REST contract.
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
