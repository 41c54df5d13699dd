"""Stimulus sets: the rules, those of pairs of image sets or folders, and the command `gan_core publish`. No torch."""
