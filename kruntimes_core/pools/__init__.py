"""A Runtime in, the objects of its pool out. Pure: no I/O, no clock, no randomness, no logging."""
