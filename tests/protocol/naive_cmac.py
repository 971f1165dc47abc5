"""AES-CMAC as RFC 4493 writes it down, block by block, apart from the library whose CMAC the product uses."""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

BLOCK = 16
_ALL_BITS = (1 << 128) - 1


def naive_cmac(key: bytes, message: bytes) -> bytes:
    last_key = _doubled(_encrypted(key, bytes(BLOCK)))
    blocks = [message[at : at + BLOCK] for at in range(0, len(message), BLOCK)] or [b""]
    if len(blocks[-1]) < BLOCK:
        last_key = _doubled(last_key)
        blocks[-1] = (blocks[-1] + b"\x80").ljust(BLOCK, b"\x00")
    blocks[-1] = _xor(blocks[-1], last_key)
    state = bytes(BLOCK)
    for block in blocks:
        state = _encrypted(key, _xor(state, block))
    return state


def _encrypted(key: bytes, block: bytes) -> bytes:
    # One block at a time: this is AES itself, and no mode of it.
    return Cipher(AES(key), ECB()).encryptor().update(block)  # noqa: S305


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _doubled(block: bytes) -> bytes:
    """Multiplied by x in GF(2^128)."""
    value = int.from_bytes(block, "big") << 1
    return ((value & _ALL_BITS) ^ (0x87 if value >> 128 else 0)).to_bytes(BLOCK, "big")
