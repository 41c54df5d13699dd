"""Reading files: photos, masks and tables as people have them."""
