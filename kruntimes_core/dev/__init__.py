"""The embedded control plane: a small cluster of local processes for one machine; never for production."""
