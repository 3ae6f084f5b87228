"""The values that hooks take and return, with their units and limits."""
