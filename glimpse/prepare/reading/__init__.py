"""Readers of photos, masks and tables, in the formats that data sets and cameras use."""
