"""The session that hooks use, and lookups of guests, hosts, datastores and networks."""
