"""A model of the cluster in virtual time, driving the real rules; one seed is one history."""
