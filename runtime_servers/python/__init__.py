"""The server for Python programs."""
