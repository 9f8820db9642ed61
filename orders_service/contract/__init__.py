"""What other services rely on: events, topics, limits, and how they look on the wire.

*The course* is the Spring Cloud course whose Kafka part this project reproduces (`docs/course.md`).
"""
