"""Checks of image sets: look-alikes, differences between two sets that are not content."""
