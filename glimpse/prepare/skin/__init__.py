"""Skin in photos: background, hair, windows that lie on skin."""
