"""The drives of guests, and whose their volumes are."""
