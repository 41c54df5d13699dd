"""The population of participants and images: its spreads, its d' and criterion."""
