"""The nouns and the table of what may follow what. Pure: no I/O, no clock, no randomness, no logging."""
