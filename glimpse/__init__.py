"""The ground floor: workspace, files, image sets, stimulus sets; nothing here imports torch."""
