"""From a network and an image to signed maps in logits, with trust and provenance."""
