"""Comparisons between participants: groups, covariates and answers to questions."""
