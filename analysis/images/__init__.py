"""Measures of images: features, distances, SSIM."""
