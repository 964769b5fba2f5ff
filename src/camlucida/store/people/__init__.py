"""Who signs in, with what, and what programs have tokens."""
