"""The population that participants and images are drawn from: its spreads, its d'."""
