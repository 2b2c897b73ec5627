"""The only code that talks to the Kubernetes API; it knows objects and errors, and decides nothing."""
