"""Captures: what passed on the lines of a pump, as pcapng, written while it happens and read again."""
