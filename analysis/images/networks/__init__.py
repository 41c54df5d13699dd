"""The networks of the feature extractors, each with its weights and the preparation of its input."""
