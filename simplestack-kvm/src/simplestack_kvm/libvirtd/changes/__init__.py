"""Change things so that a failure leaves nothing behind."""
