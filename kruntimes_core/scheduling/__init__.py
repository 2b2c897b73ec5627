"""Which Run goes where, and what becomes of Runs that were lost. Pure: (snapshot, now) in, actions out."""
