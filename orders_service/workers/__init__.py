"""One file = one process. Each only assembles a step; `loop.py` turns it."""
