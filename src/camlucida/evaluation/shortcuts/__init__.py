"""Shortcuts: evidence from where the disease cannot be, found over many images."""
