"""Estimates for new participants and new images: the variance of a score by its sources, and its interval."""
