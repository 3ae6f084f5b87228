"""How an operation is performed: through the service plugins, on a session, within its time limit."""
