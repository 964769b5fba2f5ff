"""The viewer without a station: in a notebook's cell, or in a file that holds all it shows."""
