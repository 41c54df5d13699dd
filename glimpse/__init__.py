"""Shared by all packages: workspace, files, image sets, stimulus sets, command lines. Nothing here imports torch."""
