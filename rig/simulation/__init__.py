"""Simulates the service: its real code in one thread, on a virtual clock. One number decides all faults."""
