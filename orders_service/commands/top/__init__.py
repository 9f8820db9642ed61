"""`top`: the road of the orders in a terminal."""
