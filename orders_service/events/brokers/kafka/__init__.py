"""(5) The Kafka broker. Only this folder uses kafka-python."""
