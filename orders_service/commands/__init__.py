"""The words that are not a lasting process of their own: one file = one word."""
