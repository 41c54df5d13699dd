"""The commands of gan_core."""
