"""Real processes killed, stopped and started again under load, and what became of every Run."""
