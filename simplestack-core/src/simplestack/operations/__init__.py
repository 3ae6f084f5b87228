"""The operations of the REST contract: method, path, body and result of each, and the hooks that it calls."""
