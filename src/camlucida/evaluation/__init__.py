"""A model on the user's cases: how good what it says is, and whether its explanations are worth anything."""
