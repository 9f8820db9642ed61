"""The worker processes, one file each. `build.py` builds them, `loop.py` calls their steps."""
