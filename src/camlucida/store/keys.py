"""Opaque names for what is kept."""

import secrets


def new_key() -> str:
    """An opaque name for URLs: 128 random bits, in hexadecimal."""
    return secrets.token_hex(16)
