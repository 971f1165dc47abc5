"""The emulator: everything around the pump and its protocol, from the ports to the command line."""

VERSION = "0.1.0"
