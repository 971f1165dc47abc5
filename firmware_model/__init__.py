"""The pump itself: plant and firmware in integer virtual time, without I/O, wall clock or a byte of any wire."""

MODEL_VERSION = 5
"""Raised when equal inputs give another state digest than before; save-states and journals carry it."""
