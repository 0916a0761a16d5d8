"""G.711 against the ITU's reference formulas, for every octet and every sample."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tertulia.media.g711 import (
    ALAW_SILENCE,
    ULAW_SILENCE,
    Octets,
    Samples,
    alaw_decode,
    alaw_encode,
    ulaw_decode,
    ulaw_encode,
)

OCTETS: Octets = np.arange(256, dtype=np.uint8)
SAMPLES: Samples = np.arange(-32768, 32768).astype(np.int16)


def ulaw_value(octet: int) -> int:
    octet = ~octet & 0xFF
    magnitude = ((((octet & 15) << 3) + 132) << (octet >> 4 & 7)) - 132
    return -magnitude if octet & 128 else magnitude


def alaw_value(octet: int) -> int:
    octet ^= 0x55
    exponent, mantissa = octet >> 4 & 7, octet & 15
    if exponent > 0:
        mantissa += 16
    mantissa = (mantissa << 4) + 8
    if exponent > 1:
        mantissa <<= exponent - 1
    return mantissa if octet & 128 else -mantissa


def ulaw_code(sample: int) -> int:
    magnitude = min((~sample if sample < 0 else sample) // 4 + 33, 0x1FFF)
    segment, shifted = 1, magnitude >> 6
    while shifted:
        segment, shifted = segment + 1, shifted >> 1
    code = (8 - segment) << 4 | (15 - (magnitude >> segment & 15))
    return code | 128 if sample >= 0 else code


def alaw_code(sample: int) -> int:
    magnitude = (~sample if sample < 0 else sample) >> 4
    if magnitude > 15:
        exponent = 1
        while magnitude > 31:
            magnitude, exponent = magnitude >> 1, exponent + 1
        magnitude = magnitude - 16 + (exponent << 4)
    return (magnitude | 128 if sample >= 0 else magnitude) ^ 0x55


@pytest.mark.parametrize(
    ("decode", "value"), [(ulaw_decode, ulaw_value), (alaw_decode, alaw_value)]
)
def test_every_octet(decode: Callable[[Octets], Samples], value: Callable[[int], int]) -> None:
    assert decode(OCTETS).tolist() == [value(octet) for octet in range(256)]


@pytest.mark.parametrize(("encode", "code"), [(ulaw_encode, ulaw_code), (alaw_encode, alaw_code)])
def test_every_sample(encode: Callable[[Samples], Octets], code: Callable[[int], int]) -> None:
    assert encode(SAMPLES).tolist() == [code(sample) for sample in range(-32768, 32768)]


@pytest.mark.parametrize(
    ("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)]
)
def test_what_is_coded_twice_is_coded_once(
    encode: Callable[[Samples], Octets], decode: Callable[[Octets], Samples]
) -> None:
    once = decode(encode(SAMPLES))
    assert np.array_equal(decode(encode(once)), once)
    error = np.abs(once.astype(np.int32) - SAMPLES)
    assert np.all(error <= np.maximum(np.abs(SAMPLES.astype(np.int32)) >> 4, 16))


def test_silence() -> None:
    assert ulaw_encode(np.zeros(1, np.int16))[0] == ULAW_SILENCE
    assert alaw_encode(np.zeros(1, np.int16))[0] == ALAW_SILENCE


def spread(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (161,), (5, 160), (3, 4, 7), (0, 160), (2, 0)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    octets = spread(shape)
    expected = [ulaw_value(int(octet)) for octet in octets.ravel()]
    decoded = ulaw_decode(octets)
    assert (decoded.shape, decoded.ravel().tolist()) == (shape, expected)
    assert np.array_equal(ulaw_encode(decoded).shape, shape)


def test_pieces_of_larger_arrays() -> None:
    """As the payloads stand inside of the packets that were received."""
    packets = spread((6, 175))
    whole = alaw_decode(packets)
    for piece in (np.s_[:, 12:172], np.s_[:, 13:173], np.s_[::2, 12:172], np.s_[:, ::3]):
        assert np.array_equal(alaw_decode(packets[piece]), whole[piece])
        assert np.array_equal(alaw_encode(whole[piece]), alaw_encode(whole)[piece])
