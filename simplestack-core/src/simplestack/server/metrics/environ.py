"""Where the WSGI environment says what a request is, for its metrics."""

#: Name of the operation in the operations table.
OPERATION = "simplestack.operation"
#: The hypervisor and the host, a `Place`. Only a request that may be performed has it.
PLACE = "simplestack.place"
