"""The journal of a device: all that it was given and what came of it, written down and lived through again."""
