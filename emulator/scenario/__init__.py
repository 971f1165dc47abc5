"""Scenarios: a pump, a timeline of what goes wrong, and what must be true in the end; whoever the programmer is.

plan, conductor, expectations and stage know no protocol; the sample programmers in samples/ speak ours.
"""
