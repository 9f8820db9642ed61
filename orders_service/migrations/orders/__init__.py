"""The versions of the orders database."""
