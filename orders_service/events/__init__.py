"""Events between services: recorded with their cause, relayed to a broker, consumed in one transaction.

This package knows neither orders nor catalog. They give it events to record, and handlers to call.
"""
