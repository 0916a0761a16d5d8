"""What the octets of a short message are by its data_coding (SMPP 3.4 section 5.2.19)."""

from tertulia.protocols import gsm

DEFAULT, ASCII, LATIN_1, EIGHT_BIT, UCS_2 = 0x00, 0x01, 0x03, 0x04, 0x08
_CODECS = {
    ASCII: "ascii", LATIN_1: "latin-1", 0x05: "shift_jis", 0x06: "iso8859-5", 0x07: "iso8859-8",
    0x0A: "iso2022_jp", 0x0D: "euc_jp", 0x0E: "euc_kr",
}  # fmt: skip
_BINARY = frozenset({0x02, EIGHT_BIT, 0x09})


def is_binary(data_coding: int) -> bool:
    """Octets that are no text. From 0xF0 on it is GSM's coding (3GPP TS 23.038 section 4)."""
    return data_coding in _BINARY or data_coding & 0xF4 == 0xF4


def text_of(octets: bytes, data_coding: int, *, is_latin: bool = False) -> str:
    """The text. `is_latin`: the SMSC's default alphabet is Latin-1, not GSM-7. What cannot be read
    is replacement characters; octets that are no text are read as Latin-1."""
    if data_coding == UCS_2 or (data_coding & 0xEC == 0x08 and data_coding >= 0x10):
        return gsm.decode_unicode(octets)
    codec = _CODECS.get(data_coding)
    if codec is not None:
        return octets.decode(codec, "replace")
    return octets.decode("latin-1") if is_latin or is_binary(data_coding) else gsm.decode(octets)
