"""Any file to an Image that remembers its origin, and an Image to a network's input and back."""
