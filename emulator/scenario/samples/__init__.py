"""Sample programmers that speak our protocol: a good one, by the host's rules, and naive ones, each with a flaw."""
