"""Who may have what: credentials of requests, accounts and service tokens of the settings."""
