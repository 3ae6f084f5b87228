"""Credentials in requests, and accounts and service tokens in the settings."""
