"""Faults: the registry of what can go wrong on purpose, the one line that names it, and the faults of the line."""
