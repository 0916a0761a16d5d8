"""Opus (RFC 6716) by libopus, called through ctypes: mono, 16-bit, any of its telephone rates.

`source` says whose library was found at import: `opuslib_next`, `av`, `system`; None is no library,
and then whoever makes a decoder or encoder gets OpusMissing, so that G.711 legs live on without it.
"""

import ctypes
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RATES = (8000, 16000, 24000, 48000)
CLOCK = 48_000
"""Of Opus in RTP, whatever the rate of the audio (RFC 7587 4.1)."""
LONGEST = CLOCK * 120 // 1000
"""Ticks of the longest packet (RFC 6716 3.1, R5)."""
COMPLEXITY, BITRATE = 1, 28_000
"""Of a new encoder. µs for 20 ms of speech at 16 kHz with complexity 0, 1, 2, 3, 5, 9: 33, 35, 66,
71, 93, 136; decoding is 12.5. Octets are cheaper than complexity: 28 kbit/s at 1 comes as close to
what was said (12.4 dB) as 24 kbit/s at 9, for a quarter of its work."""

_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_FEC, _SET_LOSS = 4002, 4010, 4012, 4014
_SET_DTX, _SET_SIGNAL, _RESET, _SET_DEPTH = 4016, 4024, 4028, 4036
_VOICE = 3001
_LARGEST = 1275
"""Octets of a frame (RFC 6716 3.2.1): an encoder makes packets of one frame."""


class OpusMissing(Exception):
    """No usable libopus was found on this machine."""


class Library(NamedTuple):
    """An opened libopus: its source, and its functions with their argument types bound."""

    source: str
    version: str
    decoder_size: int
    encoder_size: int
    init_decoder: Callable[..., int]
    init_encoder: Callable[..., int]
    decode: Callable[..., int]
    encode: Callable[..., int]
    control_decoder: Callable[..., int]
    control_encoder: Callable[..., int]


def candidates() -> Iterator[tuple[str, str]]:
    """(source, file) of the libraries to be tried, the best first.

    The packages are looked up, not imported: importing would load what goes with them.
    """
    for package, pattern in (("opuslib_next", "_native/libopus*"), ("av", "../av.libs/libopus*")):
        found = find_spec(package)
        if found is not None and found.origin is not None:
            folder = Path(found.origin).parent
            yield from ((package, str(path)) for path in sorted(folder.glob(pattern)))
    yield from (("system", name) for name in ("libopus.so.0", "libopus.0.dylib"))


def probe(wanted: Iterable[tuple[str, str]]) -> Library | None:
    """The first that opens and has the calls that we use."""
    for source, file in wanted:
        try:
            return _open(source, file)
        except (OSError, AttributeError):
            continue
    return None


def _open(source: str, file: str) -> Library:
    # PyDLL keeps the interpreter lock: a call takes 15 to 150 µs, while a thread that is given
    # the lock keeps it for up to 5 ms, which would be felt in every frame of the tick.
    library = ctypes.PyDLL(file)
    integer, pointer = ctypes.c_int, ctypes.c_void_p

    def bound(name: str, *arguments: Any, result: Any = integer) -> Callable[..., Any]:
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
        return function  # type: ignore[no-any-return]

    return Library(
        source,
        bound("opus_get_version_string", result=ctypes.c_char_p)().decode(),
        bound("opus_decoder_get_size", integer)(1),
        bound("opus_encoder_get_size", integer)(1),
        bound("opus_decoder_init", pointer, integer, integer),
        bound("opus_encoder_init", pointer, integer, integer, integer),
        bound("opus_decode", pointer, ctypes.c_char_p, integer, pointer, integer, integer),
        bound("opus_encode", pointer, pointer, integer, pointer, integer),
        bound("opus_decoder_ctl", pointer, integer),
        bound("opus_encoder_ctl", pointer, integer),
    )


library = probe(candidates())
source = None if library is None else library.source


def _loaded() -> Library:
    if library is None:
        raise OpusMissing("no libopus was found: install opuslib-next-bundled")
    return library


def _address(samples: NDArray[np.int16]) -> int:
    """Of the first sample of a contiguous array."""
    if samples.dtype != np.int16 or not samples.flags.c_contiguous:
        raise ValueError("Opus takes contiguous 16-bit samples")
    return samples.ctypes.data


class Toc(NamedTuple):
    """What the head of a packet says is in it (RFC 6716 3.1, 3.2)."""

    frames: int
    """1 to 48."""
    ticks: int
    """Of the whole packet, at 48 kHz: 960 is 20 ms."""


_SILK, _CELT = (480, 960, 1920, 2880), (120, 240, 480, 960)
_FRAME_TICKS = [*_SILK * 3, *_SILK[:2] * 2, *_CELT * 4]
"""By configuration (RFC 6716, table 2)."""


def read_toc(payload: bytes | bytearray | memoryview) -> Toc | None:
    """How long a packet is, to be asked before it is decoded; None when it is no Opus."""
    if not payload:
        return None
    code = payload[0] & 3
    frames = 1 if code == 0 else 2
    if code == 3:
        frames = payload[1] & 63 if len(payload) > 1 else 0
    ticks = frames * _FRAME_TICKS[payload[0] >> 3]
    return Toc(frames, ticks) if 0 < ticks <= LONGEST else None


class OpusDecoder:
    """The decoder of one stream. A stereo packet comes out as mono.

    `..._at` take the address of a row of a frame matrix (`matrix.ctypes.data + row * stride`) and
    the samples that it has room for: what the tick uses, at 0.4 µs over the cost of libopus.
    """

    __slots__ = ("_control", "_decode", "_memory", "_state")

    def __init__(self, rate: int) -> None:
        opus = _loaded()
        # The state is memory of ours: it goes with the object, nobody has to free it.
        self._memory = ctypes.create_string_buffer(opus.decoder_size)
        self._state = ctypes.addressof(self._memory)
        if opus.init_decoder(self._state, rate, 1) != 0:
            raise ValueError(f"Opus has no rate of {rate} Hz")
        self._decode, self._control = opus.decode, opus.control_decoder

    def decode_at(self, payload: bytes, address: int, room: int) -> int:
        """Samples that were written; 0 when it is no Opus, or longer than there is room for."""
        written = self._decode(self._state, payload, len(payload), address, room, 0)
        return written if written > 0 and payload else 0

    def conceal_at(self, address: int, samples: int) -> int:
        """Make up a lost frame from what was before it; a multiple of 2.5 ms."""
        return max(0, self._decode(self._state, None, 0, address, samples, 0))

    def recover_at(self, following: bytes, address: int, samples: int) -> int:
        """A lost frame from the copy in the packet after it (RFC 6716 2.1.7), which is to be
        decoded next; from what was before when that holds none."""
        if not following:
            return self.conceal_at(address, samples)
        return max(0, self._decode(self._state, following, len(following), address, samples, 1))

    def decode_into(self, payload: bytes, out: NDArray[np.int16]) -> int:
        return self.decode_at(payload, _address(out), out.size)

    def conceal_into(self, out: NDArray[np.int16]) -> int:
        return self.conceal_at(_address(out), out.size)

    def recover_into(self, following: bytes, out: NDArray[np.int16]) -> int:
        return self.recover_at(following, _address(out), out.size)

    def reset(self) -> None:
        """As new: for another stream."""
        self._control(self._state, _RESET)


class OpusEncoder:
    """The encoder of one stream of speech; frames of 2.5, 5, 10, 20, 40 or 60 ms."""

    __slots__ = ("_control", "_encode", "_memory", "_out", "_packet", "_state", "_view")

    def __init__(
        self, rate: int, *, bitrate: int = BITRATE, complexity: int = COMPLEXITY, dtx: bool = False
    ) -> None:
        opus = _loaded()
        self._memory = ctypes.create_string_buffer(opus.encoder_size)
        self._state = ctypes.addressof(self._memory)
        if opus.init_encoder(self._state, rate, 1, _VOIP) != 0:
            raise ValueError(f"Opus has no rate of {rate} Hz")
        self._encode, self._control = opus.encode, opus.control_encoder
        self._out = ctypes.create_string_buffer(_LARGEST)
        self._packet = ctypes.addressof(self._out)
        self._view = memoryview(self._out).cast("B")
        self._set(_SET_SIGNAL, _VOICE)
        self._set(_SET_DEPTH, 16)
        self.set_bitrate(bitrate)
        self.set_complexity(complexity)
        self.set_dtx(dtx)

    def encode_at(self, address: int, samples: int) -> bytes:
        """A packet. With DTX one of 2 octets or less need not be sent (RFC 7587 3.1.3)."""
        size = self._encode(self._state, address, samples, self._packet, _LARGEST)
        if size < 0:
            raise ValueError(f"Opus has no frame of {samples} samples")
        return self._view[:size].tobytes()

    def encode(self, frame: NDArray[np.int16]) -> bytes:
        return self.encode_at(_address(frame), frame.size)

    def set_bitrate(self, bits: int) -> None:
        """Bits a second."""
        self._set(_SET_BITRATE, bits)

    def set_complexity(self, complexity: int) -> None:
        """0 to 10; at any frame."""
        self._set(_SET_COMPLEXITY, complexity)

    def set_dtx(self, on: bool) -> None:
        """Whether silence may be next to nothing."""
        self._set(_SET_DTX, int(on))

    def set_loss(self, percent: int) -> None:
        """What the receiver reports as lost, 0 to 100: from 1 on, packets carry a smaller copy of
        the one before, as far as the bit rate has room for it."""
        self._set(_SET_LOSS, percent)
        self._set(_SET_FEC, int(percent > 0))

    def reset(self) -> None:
        """As new, with the settings kept: for another listener."""
        self._control(self._state, _RESET)

    def _set(self, request: int, value: int) -> None:
        if self._control(self._state, request, ctypes.c_int(value)) != 0:
            raise ValueError(f"libopus refuses {value} for its request {request}")
