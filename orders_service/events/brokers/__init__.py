"""Where events are stored: the port, an embedded log, and Kafka."""
