"""Figures of the sections that judge generators."""
