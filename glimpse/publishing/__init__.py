"""Publishing of stimulus sets: rules, pairs of image sets or folders, the command `gan_core publish`. No torch."""
