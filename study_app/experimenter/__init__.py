"""The experimenters' side: dashboard, status, export."""
