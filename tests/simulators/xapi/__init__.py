"""A simulator of XAPI, the toolstack of XenServer and XCP-ng, for the tests of its clients.

It is strict: what XenAPI's data model does not allow is refused with the failure that XAPI gives. A message
that the model has and the simulator does not act out is refused with NOT_IMPLEMENTED.

``PYTHONPATH=tests python -m simulators.xapi`` runs it over TLS, and says where.
Within a process, `simulator.Simulator` is the pool and `server.running` serves it.
"""
