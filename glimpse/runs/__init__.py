"""Readers of a run's folder that need no torch: its log, the seal of its generator, `gan_core runs`."""
