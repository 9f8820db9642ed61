"""The road of an order: what each of its five stations does now, and which one is in trouble."""
