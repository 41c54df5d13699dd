"""Tables of answers: find files, decode them, and read them as one table."""
