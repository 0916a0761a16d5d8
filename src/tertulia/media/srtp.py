"""SRTP and SRTCP (RFC 3711, RFC 7714) of legs, by libsrtp: single packets, and batches in place.

A packet of 72 octets costs 1.2 to 1.5 µs through pylibsrtp's Python calls. The batches map its
extension's cffi functions over the rows of a matrix, without a step of Python between: 0.5 µs, and
0.6 µs back, by AES-GCM, 0.6 and 0.7 by AES-CM; by ctypes it would be 0.15 more. Where a release
of pylibsrtp does not have these functions, the Python calls do the batches too.
"""

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pylibsrtp import Error, Policy, Session

TRAILER = 16
"""Octets by which protection makes an RTP packet longer, at most."""
PACKET_MAX = 1356
"""Octets of a packet that `protect` and `unprotect` take."""
SOURCES_MAX = 16
"""SSRCs that are taken from one peer: libsrtp keeps a stream for each that has proved itself."""
_RTP_HEADER = 12
_PROFILES = {
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AES128_CM_SHA1_32": (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
}
"""Of each profile its number in libsrtp, and the octets of key and salt."""
_ARGUMENTS = ["struct srtp_ctx_t_ *", "void *", "int *"]


class SrtpKeys(NamedTuple):
    profile: str
    """`AEAD_AES_128_GCM`, `AEAD_AES_256_GCM`, `AES128_CM_SHA1_80`, `AES128_CM_SHA1_32`."""
    local: bytes
    """Key and salt joined, of what we send; the next of what the peer sends."""
    remote: bytes


class _Library(NamedTuple):
    """libsrtp's functions, as the extension of pylibsrtp has them."""

    protect: Callable[[Any, Any, Any], int]
    unprotect: Callable[[Any, Any, Any], int]
    pointer: Callable[[str, int], Any]


def _probe() -> _Library | None:
    """None when the installed pylibsrtp is built in another way than is known here."""
    try:
        binding = importlib.import_module("pylibsrtp._binding")
        library, ffi = binding.lib, binding.ffi
        functions = library.srtp_protect, library.srtp_unprotect
        for function in functions:
            if [argument.cname for argument in ffi.typeof(function).args] != _ARGUMENTS:
                return None
        _handle(Session())
    except (ImportError, AttributeError, TypeError):
        return None
    return _Library(*functions, ffi.cast)


def _handle(session: Session) -> Any:
    return session._srtp[0]


class Srtp:
    """Both directions of one leg. Replayed packets and those older than 128 are refused."""

    __slots__ = ("_incoming", "_outgoing", "_sources", "incoming", "outgoing", "refused")

    def __init__(self, keys: SrtpKeys) -> None:
        """
        Raises:
            ValueError: an unknown profile, or keys of another length than it has.
        """
        if keys.profile not in _PROFILES:
            raise ValueError(f"There is no SRTP profile {keys.profile}.")
        profile, length = _PROFILES[keys.profile]
        if {len(keys.local), len(keys.remote)} != {length}:
            raise ValueError(f"Keys of {keys.profile} have {length} octets.")
        self._outgoing = Session(Policy(keys.local, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        self._incoming = Session(Policy(keys.remote, Policy.SSRC_ANY_INBOUND, 0, profile))
        self._sources: set[int] = set()
        self.outgoing = _handle(self._outgoing) if LIBRARY else None
        """libsrtp's own session, for batches; as `incoming`."""
        self.incoming = _handle(self._incoming) if LIBRARY else None
        self.refused = 0
        """Packets that were forged, replayed, malformed or from a source too many."""

    def with_remote(self, keys: SrtpKeys) -> "Srtp":
        """The same way out, and another way in. Raises as the making of one."""
        other = Srtp(keys)
        other._outgoing, other.outgoing = self._outgoing, self.outgoing
        return other

    def protect(self, packet: bytes) -> bytes:
        """
        Raises:
            ValueError: it is no RTP packet, too long, or was protected before.
        """
        return self._protected(self._outgoing.protect, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """As `protect`, of a compound RTCP packet."""
        return self._protected(self._outgoing.protect_rtcp, packet)

    def unprotect(self, packet: memoryview | bytearray | bytes) -> bytes | None:
        """The RTP packet. None: forged, replayed or malformed, and counted."""
        return self._unprotected(self._incoming.unprotect, packet, 8)

    def unprotect_rtcp(self, packet: memoryview | bytearray | bytes) -> bytes | None:
        """As `unprotect`, of a compound RTCP packet."""
        return self._unprotected(self._incoming.unprotect_rtcp, packet, 4)

    def hears(self, source: int) -> bool:
        """Whether a packet of this SSRC has proved itself."""
        return source in self._sources

    def admits(self) -> bool:
        """Whether another SSRC may still prove itself."""
        return len(self._sources) < SOURCES_MAX

    def learn(self, source: int) -> None:
        """A packet of this SSRC has proved itself."""
        self._sources.add(source)

    def _protected(self, call: Callable[[bytes], bytes], packet: bytes) -> bytes:
        try:
            return call(packet)
        except Error as error:
            raise ValueError(f"The packet cannot be protected: {error}.") from error

    def _unprotected(
        self, call: Callable[[bytes], bytes], packet: memoryview | bytearray | bytes, at: int
    ) -> bytes | None:
        """`at` is where the packet holds its SSRC."""
        source = int.from_bytes(packet[at : at + 4], "big")
        if _RTP_HEADER <= len(packet) <= PACKET_MAX and (self.hears(source) or self.admits()):
            try:
                plain = call(bytes(packet))
            except Error:
                pass
            else:
                self.learn(source)
                return plain
        self.refused += 1
        return None


def protect_rows(
    sessions: Sequence[Srtp], matrix: NDArray[np.uint8], lengths: NDArray[np.int32]
) -> None:
    """Protect the RTP packet in row i of `matrix`, of `lengths[i]` octets, by `sessions[i]`.

    Both are changed in place; a length becomes that of the protected packet, or 0 when it was none
    or too long: a row has to have room for `TRAILER` octets more. Rows beyond the sessions stay.
    """
    count = _checked(sessions, matrix, lengths)
    _void(lengths[:count], matrix.shape[1] - TRAILER)
    if LIBRARY is None:
        _one_by_one([session.protect for session in sessions], matrix, lengths)
        return
    handles = [session.outgoing for session in sessions]
    for row in _failures(LIBRARY.protect, handles, matrix, lengths):
        lengths[row] = 0


def unprotect_rows(
    sessions: Sequence[Srtp], matrix: NDArray[np.uint8], lengths: NDArray[np.int32]
) -> None:
    """As `protect_rows`, the other way. A packet that is forged, replayed or malformed gets the
    length 0, and is counted in `refused` of its session."""
    count = _checked(sessions, matrix, lengths)
    _void(lengths[:count], matrix.shape[1])
    if LIBRARY is None:
        _one_by_one([session.unprotect for session in sessions], matrix, lengths)
        return
    sources = matrix[:count, 8:12].copy().view(">u4").ravel().tolist()
    heard = map(Srtp.hears, sessions, sources)
    strangers = [row for row, known in enumerate(heard) if not known]
    for row in strangers:
        if not sessions[row].admits():
            lengths[row] = 0
    handles = [session.incoming for session in sessions]
    for row in _failures(LIBRARY.unprotect, handles, matrix, lengths):
        lengths[row] = 0
        sessions[row].refused += 1
    for row in strangers:
        if lengths[row]:
            sessions[row].learn(sources[row])


def _checked(
    sessions: Sequence[Srtp], matrix: NDArray[np.uint8], lengths: NDArray[np.int32]
) -> int:
    """The number of rows. What C is to write into has to be what it takes it for."""
    fits = len(sessions) <= min(len(matrix), len(lengths)) and matrix.shape[1] >= _RTP_HEADER
    kinds = matrix.dtype == np.uint8 and lengths.dtype == np.intc
    if not (fits and kinds and matrix.strides[1] == 1 and lengths.flags.c_contiguous):
        raise ValueError("Rows of octets and their int32 lengths are wanted, one for a session.")
    return len(sessions)


def _void(lengths: NDArray[np.int32], length_max: int) -> None:
    """Zero what is outside: libsrtp refuses a packet of no octets before it looks at it."""
    lengths[(lengths < _RTP_HEADER) | (lengths > length_max)] = 0


def _failures(
    call: Callable[[Any, Any, Any], int],
    handles: list[Any],
    matrix: NDArray[np.uint8],
    lengths: NDArray[np.int32],
) -> list[int]:
    """Do it in C; the rows of which libsrtp says no."""
    rows = _pointers("void *", matrix.ctypes.data, matrix.strides[0], len(matrix))
    sizes = _pointers("int *", lengths.ctypes.data, lengths.strides[0], len(lengths))
    statuses = list(map(call, handles, rows, sizes))
    return [row for row, status in enumerate(statuses) if status] if any(statuses) else []


@lru_cache(maxsize=256)
def _pointers(kind: str, address: int, stride: int, count: int) -> list[Any]:
    """To each row: an engine's arrays stay where they are, and making pointers costs as much as
    protecting does."""
    assert LIBRARY is not None
    return [LIBRARY.pointer(kind, address + stride * row) for row in range(count)]


def _one_by_one(
    calls: Sequence[Callable[[bytes], bytes | None]],
    matrix: NDArray[np.uint8],
    lengths: NDArray[np.int32],
) -> None:
    for row, call in enumerate(calls):
        try:
            done = call(matrix[row, : lengths[row]].tobytes()) or b""
        except ValueError:
            done = b""
        lengths[row] = len(done)
        matrix[row, : len(done)] = np.frombuffer(done, np.uint8)


LIBRARY = _probe()
"""None when batches go through the Python calls."""
