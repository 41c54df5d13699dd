"""Reliability, agreement and single images: how well scores would repeat with other answers."""
