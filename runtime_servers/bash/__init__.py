"""The server for shell commands and scripts."""
