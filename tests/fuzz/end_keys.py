"""The keys of the sessions that a fuzzed end begins with: fixed, so that a seed's frames fit them."""

from functools import cache

from protocol.channel import SessionKeys
from protocol.messages.codes import Role

ROLES = tuple(Role)
PORTS = {role: port for port, role in enumerate(ROLES)}
"""Each role's session has a line of its own."""


@cache
def keys_of(role: Role) -> SessionKeys:
    """Those of a role's session."""
    return SessionKeys(host_to_pump=bytes((role,)) * 16, pump_to_host=bytes((role + 16,)) * 16, salt=bytes((role,)) * 8)
