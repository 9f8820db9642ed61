"""Events between services: recorded with their cause, relayed to a broker, consumed in one transaction.

This package imports neither `orders` nor `catalog`: they give it events to record, and handlers to call.
"""
