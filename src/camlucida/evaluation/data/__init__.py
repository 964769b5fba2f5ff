"""The user's data, and what a model makes of them: cases, what is known of each, and what is seen of it."""
