"""What experimenters meet: dashboard, status, export."""
