"""What servers of local programs share: places, limits, spawning, streaming, stopping."""
