"""The programs, one process in each file: they read, ask the pure packages, write; no rule lives here."""
