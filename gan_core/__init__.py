"""Everything from photos to published stimulus sets: preparing image sets, training generators, sampling."""
