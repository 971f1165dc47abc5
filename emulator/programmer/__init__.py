"""The reference programmer: it talks to a pump over a line, and keeps the host's rules of the protocol."""
