"""vSphere's side: connections, reads, lookups, tasks. It imports no hooks.

=============== =======================================================================================
connection      TLS connections, whose certificate is verified each time, with deadlines
transport       requests on pyvmomi's pool of connections, repeated only where that is safe
versions        which version of the API to speak
faults          what vSphere raises, read from SOAP
api             a session: log in, call a method, read properties
stub            what pyvmomi's managed objects call
schemas         which properties a record reads, and how they are decoded
queries         which objects to read: where to start and how to walk the inventory
soap_reading    decode properties from SOAP, without pyvmomi
json_reading    decode properties from VI-JSON
records         what is read of each kind of object
inventory       the walks to all guests, hosts, datastores and networks
lookups         find a guest, a host, a datastore or a network by ID or name
devices         what is read of a guest's virtual hardware
names, ids      names with ``%2f``, and managed object IDs in URLs
annotations     tags, which are lines of a guest's notes
tasks           start a task, wait for it, cancel it at the time limit
session         what hooks get
=============== =======================================================================================

A hook looks its guest up with the record that it needs, and calls pyvmomi's methods on it:

.. code-block:: python

    vm = find_guest(session, guest_id)                     # one call, or two for an unknown guest
    require_guest_state(vm, "start", GuestState.STOPPED)
    session.tasks.run(session.vm(vm).PowerOnVM_Task)       # a method of pyvmomi's that returns a task

Never read a property of a managed object (``vm.config``): each is a round trip, so the stub rejects it.
Add a field with the property's path to a record instead.
"""
