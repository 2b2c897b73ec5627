"""What a daemon does next, given what it has seen. Pure: no I/O, no clock, no randomness, no logging."""
