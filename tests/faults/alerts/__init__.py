"""Which alerts fire for which fault: a real Prometheus scrapes real processes while one thing breaks.

Minutes are shortened (`FACTOR`). `python -m tests.faults.alerts` prints the table of docs/faults.md.
"""
