"""What `make check` refuses: each gate is a module that can be run alone, or a tool with its arguments."""
