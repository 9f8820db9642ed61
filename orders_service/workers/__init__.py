"""The worker processes, one file each. A file only builds the worker; `loop.py` calls its step."""
