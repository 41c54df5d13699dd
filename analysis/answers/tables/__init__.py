"""Tables of answers as files: found, decoded and read."""
