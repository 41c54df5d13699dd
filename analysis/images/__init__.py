"""Measures of images: features, distances, SSIM."""

BLIND = "random features see grain and colour, not layout"  # said beside every distance on them
