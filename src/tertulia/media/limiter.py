"""Keeps mixes inside of 16 bits by turning them down, smoothly: no look-ahead beyond the frame.

The gain is a line of 20 pieces a frame. It falls before a peak, where the frame has the time for
it, and rises slowly after. Only when loud voices set in at the very start of a frame has it to
fall within the first piece (1 ms), and there what is still too loud is clipped.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Sums = NDArray[np.int32]
Factors = NDArray[np.float32]

PIECES = 20
_LOUDEST = 32767
_DECIBEL = float(np.log2(10)) / 20
"""As a power of two: gains are logarithms here, so that slopes are the same at any level."""
_FALL, _RISE = 0.3 * _DECIBEL, 0.01 * _DECIBEL
"""A piece. Measured with eight tones of full scale, as the energy of the tones over all that lies
30 Hz or more beside them: 69 dB, and 45 when the tones lie so close that the gain must follow their
beat. There a fall of 1 a piece leaves 36; a clipped sum has 7."""
_MARGIN = 4 * _DECIBEL
"""The gain rises only while what comes out is quieter than full scale by more than this. Without
it the gain follows each wave: 40 dB instead of 69."""
_BLOCK = 256
"""Mixes that are turned down at a time: what stays in the cache is done twice as fast."""
_ALONG = np.arange(PIECES + 1, dtype=np.float32)


def recovered(gains: Factors) -> Factors:
    """What gains have become after a frame without anything to be heard."""
    return np.asarray(np.minimum(gains * np.exp2(_RISE * PIECES), 1), np.float32)


def limit(sums: Sums, gains: Factors) -> tuple[Samples, Factors]:
    """Sums [m, s] as samples, and the gain [m] that each ends with; `gains` is what they begin
    with. Those that need no limiting are left as they are, bit by bit. s is a multiple of 20."""
    samples = sums.astype(np.int16)
    if not sums.size:
        return samples, gains
    if sums.max() <= _LOUDEST and sums.min() >= ~_LOUDEST and gains.min() == 1:
        return samples, gains
    loud = (sums.max(axis=1) > _LOUDEST) | (sums.min(axis=1) < ~_LOUDEST) | (gains < 1)
    rows, ends = np.flatnonzero(loud), gains.copy()
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        samples[block], ends[block] = _turned_down(sums[block], gains[block])
    return samples, ends


def _turned_down(sums: Sums, gains: Factors) -> tuple[Samples, Factors]:
    length = sums.shape[1] // PIECES
    peaks = _peaks(sums, length).astype(np.float32)
    line = np.exp2(_line(np.log2(_LOUDEST / np.maximum(peaks, 1)), np.log2(gains)))
    factors = np.repeat(np.diff(line), length, axis=1)
    factors *= np.tile(np.arange(1, length + 1, dtype=np.float32) / length, PIECES)
    factors += np.repeat(line[:, :-1], length, axis=1)
    factors *= sums.astype(np.float32)
    np.rint(factors, out=factors)
    np.clip(factors, ~_LOUDEST, _LOUDEST, out=factors)
    return factors.astype(np.int16), line[:, -1]


def _peaks(sums: Sums, length: int) -> Sums:
    """Of each piece [m, 20], by halving: a fourth of the time of `max(axis=2)`."""
    # Complements, not negatives: -32768 is as loud as 32767, and goes through untouched.
    peaks = np.maximum(sums, ~sums).ravel()
    while length % 2 == 0:
        peaks, length = np.maximum(peaks[0::2], peaks[1::2]), length // 2
    return np.asarray(peaks.reshape(len(sums), PIECES, length).max(axis=2), np.int32)


def _line(allowed: Factors, begin: Factors) -> Factors:
    """Gain at the ends of the pieces [m, 21], from `begin` [m] on: not above what each piece
    allows [m, 20], as high as the slopes let it be. All are logarithms."""
    points = np.empty((len(allowed), PIECES + 1), np.float32)
    points[:, 0], points[:, -1] = allowed[:, 0], allowed[:, -1]
    np.minimum(allowed[:, 1:], allowed[:, :-1], out=points[:, 1:-1])
    top = np.minimum(np.maximum(points.min(axis=1) - _MARGIN, begin), 0)
    np.minimum(points, top[:, np.newaxis], out=points)
    falling = (points + _FALL * _ALONG)[:, ::-1]
    points = np.minimum.accumulate(falling, axis=1)[:, ::-1] - _FALL * _ALONG
    points[:, 0] = begin
    rising = np.minimum.accumulate(points - _RISE * _ALONG, axis=1)
    return np.asarray(np.minimum(rising + _RISE * _ALONG, 0), np.float32)
