"""Sections on tasks beyond 'real or generated': ratings, pairs, reasons, staircases."""
