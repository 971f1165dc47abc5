"""Pumps for the foreign programs: a user's machine and a served pump, as the end-to-end tests have them."""

from tests.end_to_end.conftest import commands, home, serve, vpump

__all__ = ["commands", "home", "serve", "vpump"]
