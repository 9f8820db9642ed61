"""What other services rely on: events, topics, limits, and how they look on the wire."""
