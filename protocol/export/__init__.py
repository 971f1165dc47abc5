"""Documents and vectors generated from the tables."""
