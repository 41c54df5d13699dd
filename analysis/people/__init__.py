"""Statistics of people's answers."""
