"""Reads of properties, by VI-JSON or SOAP."""
