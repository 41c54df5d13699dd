"""The study file: its keys, questions and texts, read and checked."""
