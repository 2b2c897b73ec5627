"""The only code of the control plane that calls a runtime server; it decides nothing."""
