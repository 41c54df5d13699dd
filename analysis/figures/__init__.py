"""Everything that is drawn: figures from what the parts computed. Nothing here computes a statistic."""
