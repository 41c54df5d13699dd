"""Answers: read from a database or from files, checked, and turned into scored trials."""
