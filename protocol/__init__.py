"""The wire protocol of vpump: bytes to messages and back, for both ends, without I/O, clock or pump."""
