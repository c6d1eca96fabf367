"""Drawings of plants by their botanical traits, and of what is no plant at all."""
