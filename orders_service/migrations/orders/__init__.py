"""The migrations of the orders database."""
