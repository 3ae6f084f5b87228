"""A simulator of vCenter Server and ESXi, for the tests of their clients. README.md explains its parts.

``PYTHONPATH=tests python -m simulators.vsphere`` runs it over TLS, and prints its address.
Within a process, `simulator.Simulator` is the vCenter or host, and `server.Server` serves it.
"""
