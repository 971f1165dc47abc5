"""The emulator: everything around the pump and its protocol, from the ports to the command line."""

VERSION = "0.1.0"

OUR_PROTOCOL = "vpump"
"""The name of the protocol that a pump speaks unless it is told to speak another."""
