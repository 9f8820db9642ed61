"""Kafka Connect: its REST interface and the command that applies connectors."""
