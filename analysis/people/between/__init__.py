"""Comparisons between participants: groups, covariates and what they said of themselves."""
