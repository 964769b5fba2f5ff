"""Networks: their cards, how they are loaded and split, and what is proven of them."""
