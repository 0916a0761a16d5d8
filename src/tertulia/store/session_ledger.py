"""The ledger of live sessions, in a file that is mapped into memory, and in memory only.

An acknowledgement is eight bytes written into the mapping: no system call, and what is written
there is the kernel's, so it outlives the process however that dies. A slot that the loss of power
has torn fails its checksum and counts as empty.
"""

import mmap
import os
import struct
import zlib
from pathlib import Path

import msgspec

from tertulia.model.errors import Unavailable
from tertulia.model.ids import Position
from tertulia.model.session import SessionRecord, Standing
from tertulia.ports import LedgerEntry

SLOT = 512
_MAGIC = b"tertulia sessions 1 "
_FIRST_SLOTS = 256
_PROGRESS = struct.Struct("<Q")
_CONTENT = struct.Struct("<IH")
"""Checksum and length of the record, which follows."""
_RECORD_AT = _PROGRESS.size + _CONTENT.size
_EMPTY = bytes(_CONTENT.size)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SessionRecord).decode


class MemorySessionLedger:
    """SessionLedger that forgets with the process."""

    def __init__(self) -> None:
        self._entries: dict[int, LedgerEntry] = {}
        self._next = 0

    def load(self) -> list[LedgerEntry]:
        return list(self._entries.values())

    def open(self, record: SessionRecord, acknowledged: Position) -> int:
        self._next += 1
        self._entries[self._next] = LedgerEntry(self._next, record, acknowledged)
        return self._next

    async def settled(self, place: int) -> None:
        """It is, as far as it ever will be."""

    def show(self, place: int, standing: Standing) -> None:
        """There is nobody to see it."""

    def acknowledge(self, place: int, position: Position) -> None:
        entry = self._entries[place]
        self._entries[place] = LedgerEntry(place, entry.record, position)

    def close(self, place: int) -> None:
        self._entries.pop(place, None)


class FileSessionLedger:
    """SessionLedger in one file of slots; slot 0 is its heading."""

    def __init__(self, path: Path, epoch: str) -> None:
        """Raises Unavailable when the file cannot be made or mapped."""
        heading = (_MAGIC + epoch.encode()).ljust(SLOT, b"\0")[:SLOT]
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if os.pread(self._file, SLOT, 0) != heading:
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, heading, 0)
            slots = max(os.fstat(self._file).st_size // SLOT, 1 + _FIRST_SLOTS)
            self._slots = self._map(slots)
        except OSError as error:
            raise Unavailable(f"cannot open the sessions in {path}: {error}") from error
        taken = {entry.place for entry in self._read()}
        self._free = [place for place in range(slots - 1, 0, -1) if place not in taken]

    def load(self) -> list[LedgerEntry]:
        return self._read()

    def open(self, record: SessionRecord, acknowledged: Position) -> int:
        encoded = _encode(record)
        if len(encoded) > SLOT - _RECORD_AT:
            raise ValueError("the record of a session does not fit")
        if not self._free:
            self._grow()
        place = self._free.pop()
        at = place * SLOT
        _PROGRESS.pack_into(self._slots, at, acknowledged)
        self._slots[at + _RECORD_AT : at + _RECORD_AT + len(encoded)] = encoded
        _CONTENT.pack_into(self._slots, at + _PROGRESS.size, zlib.crc32(encoded), len(encoded))
        return place

    async def settled(self, place: int) -> None:
        """It is: the kernel has it."""

    def show(self, place: int, standing: Standing) -> None:
        """There is nobody to see it."""

    def acknowledge(self, place: int, position: Position) -> None:
        _PROGRESS.pack_into(self._slots, place * SLOT, position)

    def close(self, place: int) -> None:
        at = place * SLOT + _PROGRESS.size
        self._slots[at : at + _CONTENT.size] = _EMPTY
        self._free.append(place)

    async def end(self) -> None:
        self.shut()

    def shut(self) -> None:
        """Let go of the file; the sessions in it stay open."""
        self._slots.close()
        os.close(self._file)

    def _map(self, slots: int) -> mmap.mmap:
        # allocated, not sparse: writing to a mapping that the disk has no room for kills
        os.posix_fallocate(self._file, 0, slots * SLOT)
        return mmap.mmap(self._file, slots * SLOT)

    def _grow(self) -> None:
        slots = len(self._slots) // SLOT
        try:
            larger = self._map(2 * slots)
        except OSError as error:
            raise Unavailable("there is no room for another session") from error
        self._slots.close()
        self._slots = larger
        self._free.extend(range(2 * slots - 1, slots - 1, -1))

    def _read(self) -> list[LedgerEntry]:
        found = []
        for place in range(1, len(self._slots) // SLOT):
            at = place * SLOT
            checksum, length = _CONTENT.unpack_from(self._slots, at + _PROGRESS.size)
            encoded = self._slots[at + _RECORD_AT : at + _RECORD_AT + length]
            if not length or length > SLOT - _RECORD_AT or zlib.crc32(encoded) != checksum:
                continue
            (acknowledged,) = _PROGRESS.unpack_from(self._slots, at)
            found.append(LedgerEntry(place, _decode(encoded), Position(acknowledged)))
        return found
