"""The stream of PDUs (SMPP 3.4 section 3.2): each begins with its length."""

from collections.abc import Iterator

from tertulia.protocols.smpp.pdu import PDU_MAX

_HEADER = 16


class Frames:
    """Takes octets as they come, gives whole PDUs."""

    def __init__(self, largest: int = PDU_MAX) -> None:
        self._largest = largest
        self._rest = b""
        self.is_broken = False
        """A length cannot be: where the next PDU begins is not known any more."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The PDUs that are there now. Take all of them before the next call."""
        if self.is_broken:
            return
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= 4:
            length = int.from_bytes(data[at : at + 4])
            if not _HEADER <= length <= self._largest:
                self.is_broken = True
                break
            if at + length > size:
                break
            yield data[at : at + length]
            at += length
        self._rest = b"" if self.is_broken else data[at:]
