"""The practice of `orders-service run`: faults to cause from the page, and what became of the orders."""
