"""A small API server on SQLite that speaks as Kubernetes does; it knows no kind of this project by name."""
