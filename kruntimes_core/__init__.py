"""The control plane: it decides and records what becomes of every Run, and never runs user code itself."""
