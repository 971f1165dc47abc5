"""The messages, one file per service, and the table of operations."""
