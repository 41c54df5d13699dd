"""Ratings and confidence: ROC curves, areas with intervals, calibration."""
