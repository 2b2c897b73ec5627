"""The command krt: words in, words out; everything it does, the SDK or the API server does for it."""
