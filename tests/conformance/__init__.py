"""The suite judged by servers that each break one rule, and the reference servers judged by the suite."""
