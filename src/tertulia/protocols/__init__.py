"""Wire formats as plain objects: bytes and values in, bytes and values out. No I/O, no clock."""
