"""Reliability, agreement and single images: how far scores would come out alike with other answers."""
