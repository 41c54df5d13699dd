"""What the folder of a run holds for readers without torch: its log, and the seal of its generator."""
