"""What a person must not overlook of how a pump is guarded, wherever it shows itself."""

from __future__ import annotations

INSECURE = "INSECURE: this pump asks nobody for a key; whoever can open its port can program it."
TEST_KEYS = "TEST KEYS: the keys of this pump are published; it protects nobody."
NO_KEYS = "NO KEYS: the protocol of this pump has none; whoever can open its port can program it."
