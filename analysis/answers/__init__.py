"""Answers: read from a database or a file, and tidied."""
