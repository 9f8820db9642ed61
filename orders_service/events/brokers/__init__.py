"""(5) The brokers that store events: their interface (`port.py`), an embedded log, and Kafka."""
