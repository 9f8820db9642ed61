"""The contract with other services: events, topics, limits, and their form on the wire.

*The course* is the Spring Cloud course whose Kafka part this project reproduces (`docs/course.md`).
"""
