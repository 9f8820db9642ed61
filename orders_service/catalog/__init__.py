"""(7) The catalog: reserves stock for an order or rejects it, and records the answer.

It plays the catalog team's service: it has its own database, user and processes.
"""
