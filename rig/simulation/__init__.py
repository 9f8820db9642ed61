"""Simulates the service: its real code in one thread, on a virtual clock, with faults decided by one number."""
