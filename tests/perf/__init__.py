"""How fast it is, beside a bare client that makes the same writes in the same run."""
