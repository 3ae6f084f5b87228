"""Guests as a whole."""
