"""The sections that judge generators by their images."""
