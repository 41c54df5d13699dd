"""The export of a study: the command, the data set, and the description of its columns."""
