"""The daemon of a member: brings Runs to the server beside it and their ends back, by no rule of its own."""
