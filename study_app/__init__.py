"""The survey: participants tell real from generated images in timed trials; experimenters run and watch the study."""
