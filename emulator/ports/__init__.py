"""Ports: the places where a client's program meets the pump."""
