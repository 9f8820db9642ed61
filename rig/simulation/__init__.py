"""Simulates the service: the code that ships, in one thread, on a virtual clock.

One number, the seed, decides every interleaving and every fault of a history. `make simulate` makes many, and
judges each by the promises that `make faults` judges. `docs/simulation.md` explains it.

| file | subject |
|---|---|
| `__main__.py`, `shrinking.py` | many histories at once; the shortest way to a broken promise |
| `history.py` | one history: made, brought to rest, judged |
| `world.py` | databases, broker, processes and the story of one history |
| `members.py`, `people.py` | the APIs, relays and consumers; customers and an operator |
| `faults.py`, `database_faults.py`, `others.py` | what goes wrong; what others do to the topics |
| `laws.py` | what must hold after every commit and every record |
| `scheduler.py` | tasks, and the virtual time |
| `database.py`, `session.py`, `tables.py` | a MariaDB in the memory of this process |
| `broker.py`, `groups.py`, `log.py`, `sending.py` | a Kafka in the memory of this process |
"""
