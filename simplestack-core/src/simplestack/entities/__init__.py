"""The values that cross the hook boundary, and their limits."""
