"""Tables that answers come in: files found, decoded and read as one."""
