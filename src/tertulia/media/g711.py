"""G.711 both ways, by tables, over arrays of any shape: a whole matrix of legs in one call.

The rounding is that of the ITU's reference code (G.191), which takes 16-bit samples.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Octets = NDArray[np.uint8]

ULAW_SILENCE, ALAW_SILENCE = 0xFF, 0xD5


def _ulaw_values() -> Samples:
    """What each octet stands for (G.711, table 2)."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return np.asarray(np.where(code < 128, magnitude, -magnitude), np.int16)


def _alaw_values() -> Samples:
    """What each octet stands for (G.711, table 1)."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = (((mantissa << 4) + np.where(exponent > 0, 264, 8)) << np.maximum(exponent, 1)) >> 1
    return np.asarray(np.where(code >= 128, magnitude, -magnitude), np.int16)


def _ulaw_codes() -> Octets:
    """The octet of each sample, by its bits as an unsigned number."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + 33, 0x1FFF)
    exponent = np.frexp(magnitude)[1] - 6
    code = (exponent << 4) | ((magnitude >> (exponent + 1)) & 15)
    return np.asarray(~np.where(sample < 0, code | 128, code) & 255, np.uint8)


def _alaw_codes() -> Octets:
    """The octet of each sample, by its bits as an unsigned number."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    exponent = np.maximum(np.frexp(magnitude)[1] - 4, 0)
    code = (exponent << 4) | ((magnitude >> np.maximum(exponent - 1, 0)) & 15)
    return np.asarray(np.where(sample < 0, code, code | 128) ^ 0x55, np.uint8)


def _pairs(values: Samples) -> NDArray[np.uint32]:
    """Two samples for two octets: halves the look-ups, 0.05 instead of 0.09 µs a leg and frame.
    Views on both sides make it right in either byte order."""
    octets = np.arange(65536, dtype=np.uint16).view(np.uint8)
    return values[octets].view(np.uint32)


_ULAW_PAIRS, _ALAW_PAIRS = _pairs(_ulaw_values()), _pairs(_alaw_values())
_ULAW_CODES, _ALAW_CODES = _ulaw_codes(), _alaw_codes()


def _decode(octets: Octets, pairs: NDArray[np.uint32]) -> Samples:
    if octets.ndim and octets.shape[-1] % 2 == 0 and octets.strides[-1] == 1:
        return pairs.take(octets.view(np.uint16)).view(np.int16)
    doubled = np.repeat(octets[..., np.newaxis], 2, axis=-1)
    return pairs.take(doubled.view(np.uint16)).view(np.int16)[..., 0]


def _encode(samples: Samples, codes: Octets) -> Octets:
    # Every index is inside the table; "wrap" spares the check, 0.07 instead of 0.09 µs.
    return codes.take(samples.view(np.uint16), mode="wrap")


def ulaw_decode(octets: Octets) -> Samples:
    return _decode(octets, _ULAW_PAIRS)


def ulaw_encode(samples: Samples) -> Octets:
    return _encode(samples, _ULAW_CODES)


def alaw_decode(octets: Octets) -> Samples:
    return _decode(octets, _ALAW_PAIRS)


def alaw_encode(samples: Samples) -> Octets:
    return _encode(samples, _ALAW_CODES)
