"""Networks, and the interfaces of guests on them."""
