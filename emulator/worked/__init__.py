"""The specification's worked sessions: a real pump and a real host, and every byte that passes between them."""
