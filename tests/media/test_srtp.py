"""SRTP: both ways of doing it, against each other and against hostile packets."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tertulia.media import srtp
from tertulia.media.srtp import (
    SOURCES_MAX,
    TRAILER,
    Srtp,
    SrtpKeys,
    protect_rows,
    unprotect_rows,
)
from tertulia.protocols.rtcp import Description, ReceiverReport, read, write
from tertulia.protocols.rtp import RtpPacket
from tertulia.protocols.rtp import write as write_rtp

LENGTHS = {
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
    "AES128_CM_SHA1_80": 30,
    "AES128_CM_SHA1_32": 30,
}
PROFILES = pytest.mark.parametrize("profile", LENGTHS)
WIDTH = 256
Octets = NDArray[np.uint8]
Lengths = NDArray[np.int32]


@pytest.fixture(params=["libsrtp", "pylibsrtp"])
def calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Batches by libsrtp's functions, and as if they were not to be had."""
    if request.param == "pylibsrtp":
        monkeypatch.setattr(srtp, "LIBRARY", None)
    yield request.param


def keys(profile: str = "AEAD_AES_128_GCM", seed: int = 0) -> tuple[SrtpKeys, SrtpKeys]:
    """Ours and the peer's."""
    chance = random.Random(seed)
    ours, theirs = (chance.randbytes(LENGTHS[profile]) for _ in range(2))
    return SrtpKeys(profile, ours, theirs), SrtpKeys(profile, theirs, ours)


def pair(profile: str = "AEAD_AES_128_GCM", seed: int = 0) -> tuple[Srtp, Srtp]:
    ours, theirs = keys(profile, seed)
    return Srtp(ours), Srtp(theirs)


def packet(sequence: int, ssrc: int = 9, payload: bytes = b"a" * 60) -> bytes:
    return write_rtp(RtpPacket(111, sequence, sequence * 960, ssrc, payload))


def rows(packets: list[bytes]) -> tuple[Octets, Lengths]:
    matrix = np.zeros((len(packets), WIDTH), np.uint8)
    for row, data in zip(matrix, packets, strict=True):
        row[: len(data)] = np.frombuffer(data, np.uint8)
    return matrix, np.array([len(data) for data in packets], np.int32)


def contents(matrix: Octets, lengths: Lengths) -> list[bytes]:
    return [row[:length].tobytes() for row, length in zip(matrix, lengths, strict=True)]


def test_the_installed_library_does_batches() -> None:
    assert srtp.LIBRARY is not None


@PROFILES
def test_a_packet_there_and_back(profile: str) -> None:
    ours, theirs = pair(profile)
    protected = ours.protect(packet(1))
    assert packet(1)[12:] not in protected
    assert len(protected) <= len(packet(1)) + TRAILER
    assert theirs.unprotect(memoryview(protected)) == packet(1)
    report = write([ReceiverReport(9), Description(9, "c")])
    again = theirs.unprotect_rtcp(bytearray(ours.protect_rtcp(report)))
    assert again is not None
    assert read(again) == [ReceiverReport(9), Description(9, "c")]
    assert theirs.refused == 0


@PROFILES
def test_rows_there_and_back(profile: str, calls: str) -> None:
    """Each row by the keys of its own leg, and as single packets are."""
    legs = [pair(profile, seed) for seed in range(5)]
    packets = [packet(seed, payload=b"b" * seed * 30) for seed in range(5)]
    matrix, lengths = rows(packets)
    protect_rows([ours for ours, _ in legs], matrix, lengths)
    single = [pair(profile, seed)[0].protect(data) for seed, data in enumerate(packets)]
    assert contents(matrix, lengths) == single
    unprotect_rows([theirs for _, theirs in legs], matrix, lengths)
    assert contents(matrix, lengths) == packets


def test_rows_of_one_leg_and_rows_of_none(calls: str) -> None:
    ours, theirs = pair()
    packets = [packet(number) for number in range(4)]
    matrix, lengths = rows(packets)
    protect_rows([ours] * 3, matrix, lengths)
    unprotect_rows([theirs] * 3, matrix, lengths)
    protect_rows([], matrix, lengths)
    assert contents(matrix, lengths) == packets


@PROFILES
def test_what_is_not_sound_is_refused_and_counted(profile: str, calls: str) -> None:
    ours, theirs = pair(profile)
    stranger, _ = pair(profile, seed=1)
    good = [ours.protect(packet(number)) for number in range(4)]
    flipped = good[1][:20] + bytes((good[1][20] ^ 1,)) + good[1][21:]
    data = [good[0], good[0], flipped, stranger.protect(packet(2)), good[3][:11], b"",
            good[3][:14], bytes(60), good[3]]  # fmt: skip
    matrix, lengths = rows(data)
    unprotect_rows([theirs] * len(data), matrix, lengths)
    assert lengths.tolist() == [len(packet(0)), 0, 0, 0, 0, 0, 0, 0, len(packet(3))]
    assert theirs.refused == 7
    alone = Srtp(keys(profile)[1])
    found = [alone.unprotect(each) for each in data]
    assert [len(each or b"") for each in found] == lengths.tolist()
    assert alone.refused == 7


def test_lengths_that_lie_are_refused(calls: str) -> None:
    ours, theirs = pair()
    for lie in (-1, -(2**31), 0, 11, WIDTH + 1, 2**31 - 1):
        matrix, lengths = rows([packet(1)])
        lengths[0] = lie
        protect_rows([ours], matrix, lengths)
        assert lengths[0] == 0
        lengths[0] = lie
        unprotect_rows([theirs], matrix, lengths)
        assert lengths[0] == 0


def test_a_row_without_room_is_not_protected(calls: str) -> None:
    ours, _ = pair()
    matrix, lengths = rows([packet(1, payload=bytes(WIDTH - 12 - TRAILER + 1))])
    protect_rows([ours], matrix, lengths)
    assert lengths[0] == 0
    matrix, lengths = rows([packet(2, payload=bytes(WIDTH - 12 - TRAILER))])
    protect_rows([ours], matrix, lengths)
    assert lengths[0] == WIDTH


def test_what_is_no_packet_is_not_protected(calls: str) -> None:
    ours, _ = pair()
    ours.protect(packet(1))
    for data in (packet(1), b"", b"\x80\x6f", bytes(5000)):
        with pytest.raises(ValueError):
            ours.protect(data)
    with pytest.raises(ValueError):
        ours.protect_rtcp(b"\x80")
    matrix, lengths = rows([packet(1)])
    protect_rows([ours], matrix, lengths)
    assert lengths[0] == 0


def test_a_late_packet_is_taken_an_old_one_is_not() -> None:
    ours, theirs = pair()
    protected = [ours.protect(packet(number)) for number in range(300)]
    assert theirs.unprotect(protected[299]) is not None
    assert theirs.unprotect(protected[299 - 127]) is not None
    assert theirs.unprotect(protected[299 - 128]) is None
    assert theirs.unprotect(protected[299 - 127]) is None


def test_sequence_numbers_go_round() -> None:
    ours, theirs = pair()
    for number in range(65_500, 65_600):
        data = packet(number & 0xFFFF)
        assert theirs.unprotect(ours.protect(data)) == data


def test_a_peer_has_so_many_sources(calls: str) -> None:
    """Each costs memory; a packet of a known one is still taken."""
    ours, theirs = pair()
    for source in range(SOURCES_MAX + 5):
        matrix, lengths = rows([ours.protect(packet(1, ssrc=source))])
        unprotect_rows([theirs], matrix, lengths)
        assert bool(lengths[0]) == (source < SOURCES_MAX)
    assert theirs.refused == 5
    assert theirs.unprotect(ours.protect(packet(2, ssrc=99))) is None
    assert theirs.unprotect(ours.protect(packet(2, ssrc=3))) == packet(2, ssrc=3)


def test_forged_sources_do_not_use_it_up(calls: str) -> None:
    ours, theirs = pair()
    for source in range(100):
        matrix, lengths = rows([packet(1, ssrc=source)])
        unprotect_rows([theirs], matrix, lengths)
        assert lengths[0] == 0
    assert theirs.unprotect(ours.protect(packet(1))) == packet(1)


@given(st.binary(max_size=100), st.sampled_from(sorted(LENGTHS)))
@settings(max_examples=100)
def test_no_octets_raise(data: bytes, profile: str) -> None:
    _, theirs = pair(profile)
    for attempt in (data, b"\x80\x6f" + data, b"\x9f\xc8" + data):
        assert theirs.unprotect(attempt) is None
        assert theirs.unprotect_rtcp(attempt) is None
        matrix, lengths = rows([attempt])
        unprotect_rows([theirs], matrix, lengths)
        assert lengths[0] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        SrtpKeys("NULL", bytes(28), bytes(28)),
        SrtpKeys("AEAD_AES_128_GCM", bytes(28), bytes(27)),
        SrtpKeys("AES128_CM_SHA1_80", b"", b""),
    ],
)
def test_keys_that_do_not_fit(wrong: SrtpKeys) -> None:
    with pytest.raises(ValueError):
        Srtp(wrong)


@pytest.mark.parametrize(
    ("matrix", "lengths"),
    [
        (np.zeros((1, WIDTH), np.uint8), np.zeros(1, np.int64)),
        (np.zeros((1, WIDTH), np.int16), np.zeros(1, np.int32)),
        (np.zeros((0, WIDTH), np.uint8), np.zeros(1, np.int32)),
        (np.zeros((WIDTH, 20), np.uint8).T, np.zeros(WIDTH, np.int32)),
        (np.zeros((1, 8), np.uint8), np.zeros(1, np.int32)),
    ],
)
def test_only_arrays_that_libsrtp_can_write_into(matrix: Octets, lengths: Lengths) -> None:
    ours, theirs = pair()
    with pytest.raises(ValueError):
        protect_rows([ours], matrix, lengths)
    with pytest.raises(ValueError):
        unprotect_rows([theirs], matrix, lengths)


def test_another_build_of_the_library_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srtp, "_ARGUMENTS", ["struct other *"])
    assert srtp._probe() is None
