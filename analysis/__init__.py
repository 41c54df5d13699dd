"""Analysis of answers, images and training logs, and the report on them."""

# Names of the feature extractors. They are here so that `--help` need not import NumPy.
EXTRACTORS = ("inception", "imagenet", "random")
CALIBRATION = 512  # images that calibrate the random networks
