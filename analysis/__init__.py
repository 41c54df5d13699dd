"""The analysis: what answers, images and training curves say, and the report on them."""

# Names of the feature extractors. They are here so that `--help` need not import NumPy.
EXTRACTORS = ("inception", "imagenet", "random")
CALIBRATION = 512  # images that calibrate the random networks
