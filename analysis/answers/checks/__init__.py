"""Checks of a table of answers: of its columns against each other, and of who judged what."""
