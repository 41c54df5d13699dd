"""The networks of the feature extractors, each with its weights and its preparation of images."""
