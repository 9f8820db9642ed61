"""How news travels: recorded with its cause, relayed to a broker, consumed into one transaction.

It knows neither orders nor catalog: they hand it events, and are handed events.
"""
