"""Other runtimes for the part of a network before the cut, each held against torch when it is loaded."""
