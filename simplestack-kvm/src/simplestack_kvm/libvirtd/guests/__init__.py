"""Domains: find and describe them, and what their descriptions tell."""
