"""What `krt doctor` finds out, one module for each part of the world; a check claims only what it probed."""
