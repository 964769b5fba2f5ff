"""Phantoms with known truth and small trained networks, so that everything can be tried offline."""
