"""The conformance suite of the runtime server protocol: checks, engine and reports; it serves nothing."""
