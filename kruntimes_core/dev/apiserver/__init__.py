"""The embedded, Kubernetes-compatible API server: one user, one machine, durable in one SQLite file."""
