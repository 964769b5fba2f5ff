"""Keeping the store: how large it is, whether it is whole, copies of it, what may go."""
