"""vSphere's side: connections, reads, lookups, tasks. It imports no hooks.

Each package imports those below it in this list:

- `transfer`: exports and imports: leases, their files, and descriptors
- `guests`: places, hardware and cloud-init data of new guests; copies; tags in the notes; names, sizes,
  templates; deletion without the disks of others
- `disks`: units on controllers; disks, their growth, their files, and which other VMs use them
- `media`: CD drives; ISO images in datastores
- `networks`: networks on VLANs; network interfaces of guests, and their addresses
- `changes`: reconfigurations that lose no change of others; what a failed operation undoes
- `sessions`: what hooks get; lookups of guests, hosts, datastores and networks
- `tasks`: start a task, answer questions about it, wait for it, cancel it at the time limit
- `inventory`: the walks to all guests, hosts, datastores and networks, and what is read of each
- `reading`: which properties a record reads, and how they come: by VI-JSON or SOAP, in pages
- `connection`: TLS with deadlines, the API's version, faults, login, and calls of methods

A hook looks its guest up with the record that it needs, and calls pyvmomi's methods on it:

.. code-block:: python

    vm = find_guest(session, guest_id)                     # one call, or two for an unknown guest
    require_guest_state(vm, "start", GuestState.STOPPED)
    session.tasks.run(session.vm(vm).PowerOnVM_Task)       # a method of pyvmomi's that returns a task

Never read a property of a managed object (``vm.config``): each is a round trip, so the stub rejects it.
Add a field with the property's path to a record instead.

To change a device, build a spec of pyvmomi's with the key, the controller's key and the unit of the record,
and pass it to ``session.tasks.run(session.vm(vm).ReconfigVM_Task, spec)``. `run` returns the reference of
what a task made, for ``session.reader.read_one(kind, ref)``. It raises `Fault`: catch it only to say more
than the table in `errors` does.
"""
