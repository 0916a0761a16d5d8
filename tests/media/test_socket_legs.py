"""Websocket legs in the engine: what they hear and say, their texts, and connections that are lost.
Without a network, in the time of the ticks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.media.engine_world import Phone, World, amplitude
from tests.media.socket_server import Samples, Server, SocketWorld, sine

from tertulia.media.g711 import ulaw_decode
from tertulia.media.sockets import CLOSED, FAILED, LOST
from tertulia.model.commands import (
    FULL,
    AnyReport,
    Close,
    Closed,
    Digit,
    Down,
    Hearing,
    Join,
    Leave,
    Listen,
    Listened,
    Play,
    Playing,
    Press,
    Record,
    Recorded,
    Refused,
    Said,
    Socket,
    Speaking,
    Tell,
    Up,
)
from tertulia.protocols import rtp

LOUD, DOWN = 6000.0, 20.0
RATES = (8_000, 16_000, 24_000)


@contextmanager
def world(capacity: int = 64) -> Iterator[SocketWorld]:
    made = SocketWorld(capacity)
    try:
        yield made
    finally:
        made.engine.close()


def call(at: SocketWorld, rate: int = 16_000, hertz: float | None = 400) -> tuple[Phone, Server]:
    """A phone and a server in one room."""
    phone, server = at.phone("phone", hertz), at.server(rate=rate)
    at.obey(Join("phone", "room"), Join("bot", "room"))
    at.tick(2)
    return phone, server


def said_in(packet: bytes) -> Samples:
    read = rtp.read(packet)
    assert read is not None
    return ulaw_decode(np.frombuffer(read.payload, np.uint8))


def until(at: World, kind: type) -> AnyReport:
    """Files are read and written by threads."""
    for _ in range(2000):
        if found := at.heard(kind):
            return found[0]
        at.tick()
        time.sleep(0.001)
    raise AssertionError(kind)


def downs(at: SocketWorld) -> list[AnyReport]:
    return at.heard(Down, Refused)


# ── audio ──


@pytest.mark.parametrize("rate", RATES)
def test_both_hear_each_other_and_not_themselves(rate: int) -> None:
    with world() as at:
        phone, server = call(at, rate)
        server.say(sine(1000, rate, 1.4))
        at.tick(60)
        assert amplitude(server.heard(), 400, rate) > LOUD
        assert amplitude(server.heard(), 1000, rate) < DOWN
        assert phone.level(1000) > LOUD and phone.level(400) < DOWN


@pytest.mark.parametrize("rate", RATES)
def test_every_tick_sends_one_message_of_20_ms(rate: int) -> None:
    """From the first tick on, in a room or not, whether there is anything to hear or not."""
    with world() as at:
        server = at.server(rate=rate)
        at.tick(10)
        at.obey(Join("bot", "room"))
        at.tick(10)
        phone = at.phone("phone", 400)
        at.obey(Join("phone", "room"))
        at.tick(10)
        assert len(server.frames) == 30
        assert {len(frame) for frame in server.frames} == {rate // 50 * 2}
        assert not server.heard(30)[: 20 * rate // 50].any() and phone.packets


@pytest.mark.parametrize("rate", RATES)
def test_servers_of_all_rates_hear_each_other(rate: int) -> None:
    with world() as at:
        servers = {each: at.server(f"bot{each}", each) for each in RATES}
        at.obey(*(Join(f"bot{each}", "room") for each in RATES))
        servers[rate].say(sine(1500, rate, 1))
        at.tick(45)
        for each, server in servers.items():
            level = amplitude(server.heard(), 1500, each)
            assert level < DOWN if each == rate else level > LOUD


def test_voice_above_4_khz_reaches_wide_servers() -> None:
    with world() as at:
        a, b = at.server("a", 24_000), at.server("b", 16_000)
        at.obey(Join("a", "room"), Join("b", "room"))
        a.say(sine(6000, 24_000, 1))
        at.tick(45)
        assert amplitude(b.heard(), 6000, 16_000) > LOUD


def test_a_room_of_narrow_servers_stays_narrow() -> None:
    with world() as at:
        call(at, 8_000)
        assert not at.engine.bank.wide.any()
        at.server("wide", 16_000)
        at.obey(Join("wide", "room"))
        at.tick()
        assert at.engine.bank.wide.sum() == 3
        at.obey(Close("wide"))
        at.tick()
        assert not at.engine.bank.wide.any()


def test_what_is_said_in_time_is_heard_without_a_gap() -> None:
    """20 ms messages 5 ms before each tick; the delay is the cushion's frame."""
    with world() as at:
        phone, server = call(at, hertz=None)
        said = sine(500, 16_000, 6).reshape(-1, 320)
        for frame in said:
            server.say(frame)
            at.tick()
        heard = np.concatenate(phone.heard)
        first = int(np.flatnonzero(np.abs(heard) > 500)[0])
        assert abs(first - 3 * 160) < 60  # two ticks alone, one of the cushion
        periods = heard[first + 400 : first + 400 + 280 * 160].reshape(-1, 16)
        assert np.abs(np.diff(periods.astype(int), axis=0)).max() < 700


def test_what_waits_is_heard_once_the_leg_has_joined_a_room() -> None:
    with world() as at:
        phone = at.phone("phone")
        at.obey(Join("phone", "room"))
        server = at.server()
        server.say(sine(700, 16_000, 0.6))
        at.tick(50)
        at.obey(Join("bot", "room"))
        at.tick(28)
        assert phone.level(700, 20) > LOUD


def test_muted_is_not_heard_while_its_time_goes_on() -> None:
    with world() as at:
        phone, server = call(at, hertz=None)
        at.obey(Hearing("bot", muted=True))
        server.say(np.concatenate((sine(700, 16_000, 1), sine(1300, 16_000, 1))))
        server.write({"action": "notify", "payload": 1})
        at.tick(40)
        assert phone.loudness(40) == 0
        at.obey(Hearing("bot"))
        at.tick(40)
        assert phone.level(1300) > LOUD and phone.level(700) < DOWN
        at.tick(25)
        assert server.events[-1]["event"] == "websocket:notify"


def test_earmuffed_hears_silence_and_is_told_so() -> None:
    with world() as at:
        _, server = call(at)
        at.tick(20)
        assert server.heard(5).any()
        at.obey(Hearing("bot", earmuffed=True), Hearing("bot", earmuffed=True, muted=True))
        at.tick(20)
        assert not server.heard(18).any() and len(server.frames) == 42
        at.obey(Hearing("bot"))
        update = {
            "event": "websocket:media:update", "method": "update",
            "content-type": "audio/l16;rate=16000",
        }  # fmt: skip
        assert server.events[1:] == [{**update, "active": False}, {**update, "active": True}]


def test_lists_of_who_hears_whom_count() -> None:
    with world() as at:
        phone, server = call(at)
        at.obey(Hearing("phone", can_hear=[]), Hearing("bot", can_hear=["phone"]))
        server.say(sine(1000, 16_000, 1))
        at.tick(40)
        assert phone.loudness() < DOWN and amplitude(server.heard(), 400, 16_000) > LOUD


def test_what_is_played_to_a_server_is_heard_by_it() -> None:
    with world() as at:
        server = at.server(rate=24_000)
        at.obey(Play("p", "busy", kind="tone", leg="bot"))
        until(at, Playing)
        at.tick(10)
        assert server.heard(10).any()


def test_speech_of_a_server_is_noticed() -> None:
    with world() as at:
        _, server = call(at, 8_000, hertz=None)
        singer = Phone(at, "singer", 9, 130)
        singer.sings = True
        server.say(np.zeros(800, np.int16))
        server.say(np.concatenate([said_in(singer.packet()) for _ in range(75)]))
        at.tick(140)
        assert [(each.leg, each.on) for each in at.heard(Speaking) if isinstance(each, Speaking)] \
            == [("bot", True), ("bot", False)]  # fmt: skip


@pytest.mark.parametrize("rate", RATES)
def test_a_server_is_recorded_and_listened_to(rate: int, tmp_path: Path) -> None:
    with world() as at:
        _, server = call(at, rate, hertz=None)
        at.obey(
            Record("r", str(tmp_path / "r"), leg="bot", format="wav", channels=2),
            Listen("l", "bot", str(tmp_path / "l.wav"), silence_ms=400),
        )
        server.say(sine(700, rate, 1))
        at.tick(100)
        at.obey(Close("bot"))
        at.tick(2)
        recorded, listened = until(at, Recorded), until(at, Listened)
        assert isinstance(recorded, Recorded) and recorded.error is None
        assert isinstance(listened, Listened) and listened.reason == "left"
        assert recorded.tracks[0].size > 16_000


# ── texts ──


def test_the_greeting_comes_first_and_the_handshake_has_the_headers() -> None:
    with world() as at:
        greeting = '{"event":"websocket:connected","content-type":"audio/l16;rate=16000","a":1}'
        server = at.server(greeting=greeting, headers={"Authorization": "Bearer x"})
        assert server.texts == [greeting.encode()] and not server.frames
        assert server.command.headers == {"Authorization": "Bearer x"}
        assert at.reports == [Up("bot", "L16", "10.1.1.1:443")]


@pytest.mark.parametrize("rate", RATES)
def test_a_clear_is_silent_within_two_ticks(rate: int) -> None:
    with world() as at:
        phone, server = call(at, rate, hertz=None)
        server.say(sine(1000, rate, 15))
        at.tick(50)
        assert phone.level(1000, 10) > LOUD
        server.write({"action": "clear"})
        assert server.events[-1] == {"event": "websocket:cleared"}
        at.tick(2)
        assert np.abs(phone.heard[-1]).max() < DOWN
        at.tick(100)
        assert phone.loudness(100) < DOWN


def test_after_a_clear_the_next_answer_is_heard_at_once() -> None:
    with world() as at:
        phone, server = call(at, hertz=None)
        server.say(sine(1000, 16_000, 15))
        at.tick(20)
        server.write({"action": "clear"})
        server.say(sine(600, 16_000, 1))
        at.tick(30)
        assert phone.level(600, 20) > LOUD and phone.level(1000, 20) < DOWN


def test_marks_come_back_when_what_was_before_them_has_been_mixed() -> None:
    with world() as at:
        phone, server = call(at, hertz=None)
        server.say(sine(1000, 16_000, 0.2))
        server.write('{"action":"notify","payload":{"turn": 7, "x": [1.50]}}')
        server.say(sine(1000, 16_000, 0.1))
        server.write({"action": "mark", "name": "end"})
        server.write({"action": "notify"})
        came = []
        for tick in range(1, 30):
            before = len(server.texts)
            at.tick()
            came += [(tick, text) for text in server.texts[before:]]
        assert came == [
            (10, b'{"event":"websocket:notify","payload":{"turn": 7, "x": [1.50]}}'),
            (15, b'{"event":"websocket:mark","name":"end"}'),
            (15, b'{"event":"websocket:notify"}'),
        ]
        assert phone.level(1000, 1) < DOWN


@pytest.mark.parametrize(
    "text",
    [
        "hello", "", "{", "[]", "1", '{"action":1}', '{"event":"clear"}', '{"action":"dance"}',
        '{"action":"Clear"}', "[" * 60_000, '{"action":"notify","payload":' + "[" * 60_000,
        '{"a":' * 10_000, "\u0000",
    ],
)  # fmt: skip
def test_other_texts_are_handed_on(text: str) -> None:
    with world() as at:
        _, server = call(at)
        server.write(text)
        assert at.heard(Said) == [Said("bot", text)]
        assert not downs(at) and len(server.texts) == 1


def test_texts_that_come_too_fast_are_not_all_handed_on() -> None:
    with world() as at:
        _, server = call(at)
        for _ in range(1000):
            server.write("x" * 10_000)
        assert len(at.heard(Said)) == 12
        at.tick(50)
        server.write("y" * 50_000)
        assert len(at.heard(Said)) == 13


def test_told_texts_are_sent() -> None:
    with world() as at:
        server = at.server()
        at.obey(Tell("bot", '{"a":"\u00e9"}'), Tell("nobody", "x"), Tell("phone", "x"))
        assert server.texts[1:] == ['{"a":"\u00e9"}'.encode()]


def test_keys_sent_into_the_leg_are_the_hubs_to_tell() -> None:
    with world() as at:
        _, server = call(at, hertz=None)
        at.obey(Press("bot", "1#"))
        at.tick(40)
        assert len(server.texts) == 1 and not server.heard(40).any()


def test_tones_of_a_server_are_no_keys() -> None:
    with world() as at:
        _, server = call(at, hertz=None)
        server.say(sine(770, 16_000, 0.5, 6000) + sine(1336, 16_000, 0.5, 6000))
        at.tick(50)
        assert not at.heard(Digit)


# ── connections ──


def test_one_that_cannot_be_reached_is_refused_and_is_no_leg() -> None:
    with world() as at:
        at.obey(Socket("bot", "wss://bot.example/"), Join("bot", "room"))
        at.tick(3)
        at.dialled[0].lose(LOST, "no such host")
        at.tick(3)
        assert at.reports == [Refused("bot", "no such host")]
        assert len(at.engine.legs) == 0 and len(at.engine.rooms) == 0
        assert not at.engine.bank.used.any() and len(at.dialled) == 1
        at.obey(Close("bot"))
        assert at.reports[1:] == [Closed("bot", None)]
        at.server()


def test_what_is_no_leg_is_refused() -> None:
    with world(capacity=1) as at:
        at.obey(Socket("bot", "wss://bot.example/", 44_100))
        at.server()
        at.obey(Socket("bot", "wss://bot.example/"), Socket("second", "wss://bot.example/"))
        assert at.heard(Refused) == [
            Refused("bot", "there is no such rate"),
            Refused("bot", "there is a leg of this name"),
            Refused("second", FULL),
        ]
        assert len(at.dialled) == 1


def test_without_a_loop_there_are_no_servers() -> None:
    at = World()
    at.obey(Socket("bot", "wss://bot.example/"))
    assert isinstance(at.reports[0], Refused) and len(at.engine.legs) == 0


def test_closed_while_it_is_dialled() -> None:
    with world() as at:
        at.obey(Socket("bot", "wss://bot.example/"), Close("bot"))
        assert at.dialled[0].hung_up
        assert [type(each) for each in at.reports] == [Closed]


@pytest.mark.parametrize("cause", [CLOSED, FAILED])
def test_a_server_that_ends_it_is_down_at_once(cause: str) -> None:
    with world() as at:
        _, server = call(at)
        server.lose(cause)
        at.tick(400)
        assert downs(at) == [Down("bot", cause)] and len(at.dialled) == 1
        at.obey(Close("bot"))
        assert isinstance(at.reports[-1], Closed)


def test_a_farewell_is_heard_to_its_end() -> None:
    with world() as at:
        phone, server = call(at, hertz=None)
        server.say(sine(500, 16_000, 1))
        server.lose(CLOSED)
        at.tick(40)
        assert phone.level(500) > LOUD


def test_one_that_is_lost_is_connected_again() -> None:
    with world() as at:
        phone, server = call(at)
        at.tick(400)
        server.lose()
        at.tick(2)
        assert len(at.dialled) == 2 and not downs(at)
        again = at.dialled[1].open()
        assert [type(each) for each in at.heard(Up)] == [Up] * 3
        assert again.texts == server.texts[:1]
        again.say(sine(900, 16_000, 1))
        at.tick(40)
        assert phone.level(900) > LOUD and amplitude(again.heard(), 400, 16_000) > LOUD
        assert len(again.frames) == 40


def test_three_tries_within_five_seconds() -> None:
    with world() as at:
        _, server = call(at)
        at.tick(400)
        lost = at.now
        server.lose()
        tried: list[int] = []
        for _ in range(400):
            at.tick()
            if not at.dialled[-1].hung_up and len(at.dialled) > 1 + len(tried):
                tried.append(round(at.now - lost))
                at.dialled[-1].lose(LOST, "no answer")
            if downs(at):
                break
        assert tried == [0, 1, 3]
        assert downs(at) == [Down("bot", "closed")] and at.now - lost < 5.1


def test_a_try_that_takes_too_long_is_given_up() -> None:
    with world() as at:
        _, server = call(at)
        at.tick(400)
        server.lose()
        at.tick(260)
        assert len(at.dialled) == 2 and at.dialled[1].hung_up
        assert downs(at) == [Down("bot", "closed")]


def test_one_that_is_lost_again_and_again_is_given_up() -> None:
    """It is accepted each time, and cut soon after."""
    with world() as at:
        call(at)
        at.tick(400)
        for _ in range(20):
            if at.dialled[-1].is_open:
                at.dialled[-1].lose()
            at.tick(30)
            if len(at.dialled) > len(at.heard(Up)) - 1:
                at.dialled[-1].open()
            at.tick(20)
        assert len(at.dialled) <= 4 and downs(at) == [Down("bot", "closed")]


def test_one_that_is_lost_now_and_then_is_not() -> None:
    with world() as at:
        call(at)
        for _ in range(5):
            at.tick(260)
            at.dialled[-1].lose()
            at.tick(2)
            at.dialled[-1].open()
        assert len(at.dialled) == 6 and not downs(at)


def test_closed_while_it_is_dialled_again() -> None:
    with world() as at:
        _, server = call(at)
        server.lose()
        at.tick(2)
        at.obey(Close("bot"))
        at.tick(300)
        assert at.dialled[1].hung_up and len(at.dialled) == 2
        assert isinstance(at.reports[-1], Closed)


def test_pings_are_sent_and_a_silent_server_is_lost() -> None:
    with world() as at:
        _, server = call(at)
        for second in range(38):
            at.tick(50)
            if second < 5:
                server.pong()
        assert server.pings == 3 and server.hung_up
        at.dialled[1].lose()
        at.tick(300)
        assert downs(at) == [Down("bot", "timeout")]


def test_a_server_that_answers_pings_stays() -> None:
    with world() as at:
        _, server = call(at)
        for _ in range(45):
            server.pong()
            at.tick(50)
        assert not downs(at) and server.pings == 4 and server.renewed == 2252


def test_what_a_server_does_not_read_is_dropped() -> None:
    with world() as at:
        _, server = call(at)
        server.backlog = 32_000
        at.tick(10)
        assert len(server.frames) == 12
        server.backlog = 32_001
        at.tick(10)
        assert len(server.frames) == 12 and not downs(at)
        server.backlog = 0
        at.tick(10)
        assert len(server.frames) == 22


def test_the_account_counts_messages() -> None:
    with world() as at:
        _, server = call(at, 24_000)
        for _ in range(10):
            server.say(sine(300, 24_000, 0.02))
        server.write("hello")
        at.tick(248)
        server.lose()
        at.tick(60)
        at.dialled[1].open()
        at.tick(50)
        at.obey(Close("bot"))
        closed = at.reports[-1]
        assert isinstance(closed, Closed) and closed.account is not None
        account = closed.account
        assert (account.packets_in, account.bytes_in) == (11, 10 * 960 + 5)
        assert account.bytes_out == 300 * 960
        assert (account.packets_lost, account.jitter_max, account.flaws) == (0, 0, 0)
        assert abs(account.milliseconds - 6000) <= 40 and account.mos > 4


def test_many_come_and_go_and_nothing_is_left() -> None:
    with world(capacity=8) as at:
        for index in range(40):
            server = at.server(f"bot{index}", RATES[index % 3])
            at.obey(Join(f"bot{index}", "room"))
            server.say(sine(400, RATES[index % 3], 0.5))
            at.tick(3)
            if index >= 7:
                at.obey(Close(f"bot{index - 7}") if index % 2 else Leave(f"bot{index - 7}"))
                at.obey(Close(f"bot{index - 7}"))
        assert len(at.engine.legs) == 7
        at.engine.close()
        assert not at.engine.bank.used.any() and not at.engine.bank.sockets.any()
        assert all(server.hung_up for server in at.dialled)


def test_frames_are_in_the_order_of_time() -> None:
    """What a server hears is one stream: a ramp comes out as one."""
    with world() as at:
        a, b = at.server("a"), at.server("b")
        at.obey(Join("a", "room"), Join("b", "room"))
        a.say((np.arange(16_000) % 16_000 - 8_000).astype(np.int16))
        at.tick(55)
        heard = b.heard(55).astype(int)
        inner = heard[np.flatnonzero(heard)[0] + 640 :][:14_000]
        assert all(after - before == 1 for before, after in pairwise(inner.tolist()))
