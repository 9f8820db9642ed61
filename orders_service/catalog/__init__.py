"""(7) The catalog: reserves stock for an order or rejects it, and records the answer.

In a company another team would own the catalog, so it has a database, a user and processes of its own.
"""
