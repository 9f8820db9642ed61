"""Measures what the service costs, compared with the usual alternatives. `make bench` prints the tables."""
