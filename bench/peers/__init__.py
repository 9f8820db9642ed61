"""The same service as others would write it: same tables, same limits, same database and broker."""
