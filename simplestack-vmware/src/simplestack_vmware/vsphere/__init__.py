"""vSphere's side: connections, reads, lookups, tasks. It imports no hooks.

================== =============================================================================
connection         TLS connections with deadlines, whose certificate is verified each time
transport          requests on pyvmomi's pool of connections, repeated only where that is safe
versions           which version of the API to speak
faults             what vSphere raises, read from SOAP, also of types that pyvmomi does not know
stub, api          what pyvmomi's objects call; a session: log in, and call methods
schemas            which properties a record reads, and how they are decoded
records, devices   what is read of each kind of object, and of a guest's virtual hardware
queries, inventory which objects to read; the walks to all guests, hosts, datastores, networks
reading            read records: `soap_reading` or `json_reading`, in `pages`
lookups, known     find a guest, a host, a datastore or a network by ID or name
names, ids         names with ``%2f``, and managed object IDs in URLs
annotations        tags, which are lines of a guest's notes
disk_files         the files of disks, and which other VMs use them
removal            delete a VM without the disks of others
reconfiguring      change a VM, unless others have changed it since it was read
units              free units on controllers, and further controllers
disk_changes       add and grow disks
disk_removal       delete a disk, but keep a file that others use
watching, tasks    wait for changes; start a task, wait for it, cancel it at the time limit
session            what hooks get
================== =============================================================================

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
