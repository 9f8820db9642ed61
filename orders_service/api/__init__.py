"""(1) The HTTP API: an order comes in."""
