"""(7) Stock is reserved or refused, and the answer recorded.

It plays the catalog team's service: own database, own user, own processes.
"""
