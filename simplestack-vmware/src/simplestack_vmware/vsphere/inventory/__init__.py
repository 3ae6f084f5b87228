"""What is in the inventory, and what is read of it."""
