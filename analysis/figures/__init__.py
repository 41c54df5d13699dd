"""Figures of the report, drawn from the results of its sections. No statistic is computed here."""
