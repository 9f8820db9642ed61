"""(1) HTTP comes in."""
