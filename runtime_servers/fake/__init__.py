"""A server that is told how to behave, and how to fail."""
