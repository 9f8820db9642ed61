"""One order's journey: from its row through the outbox, the log and the catalog, and back to its row."""
