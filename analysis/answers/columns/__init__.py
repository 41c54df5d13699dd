"""Columns of other surveys: mapped, known by layout, and joined with the truth of a second table."""
