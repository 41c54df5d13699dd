"""What the folder of a run says to readers without torch: its configuration, its log, the seal of its generator."""
