"""The reference servers: they run user code by the published protocol and never import the control plane."""
