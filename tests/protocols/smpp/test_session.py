from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.protocols.smpp.names import Command, Status, Tag
from tertulia.protocols.smpp.pdu import Address, Bind, Malformed, Message, Named, Pdu, read, write
from tertulia.protocols.smpp.session import (
    Answered,
    Asked,
    Bound,
    Client,
    Over,
    Refused,
    Server,
    Session,
    Timing,
    Unanswered,
)

A, B = Address(1, 1, "447700900001"), Address(1, 1, "447700900002")
HELLO = Message(A, B, b"hello")
TIMING = Timing(answer=10.0, enquire=30.0, bind=5.0)


def pair(command: int = Command.BIND_TRANSCEIVER) -> tuple[Client, Server]:
    """Bound with one another, at 0."""
    client, server = Client(0.0, TIMING), Server(0.0, TIMING)
    client.bind(Bind("us", "secret"), 0.0, command)
    (asked,) = server.receive(client.take(), 0.0)
    assert isinstance(asked, Asked) and asked.pdu.body == Bind("us", "secret")
    server.welcome(asked.pdu, "them", {int(Tag.SC_INTERFACE_VERSION): b"\x34"})
    assert client.receive(server.take(), 0.0) == [Bound(command, "them")]
    return client, server


def told(session: Session) -> list[tuple[int, int, int]]:
    """Command, sequence number and status of all that is to be written."""
    data, found = session.take(), []
    while data:
        size = int.from_bytes(data[:4])
        pdu = read(data[:size])
        assert isinstance(pdu, Pdu)
        found.append((pdu.command, pdu.sequence, pdu.status))
        data = data[size:]
    return found


def test_a_message_and_its_answer() -> None:
    client, server = pair()
    sequence = client.ask(Command.SUBMIT_SM, HELLO, 1.0)
    assert client.unanswered == 1
    (asked,) = server.receive(client.take(), 1.0)
    assert isinstance(asked, Asked) and asked.pdu.body == HELLO
    server.answer(asked.pdu, 0, Named("m1"))
    (answered,) = client.receive(server.take(), 1.0)
    assert answered == Answered(Pdu(Command.SUBMIT_SM_RESP, sequence, 0, Named("m1")))
    assert client.unanswered == 0


def test_a_delivery_and_its_answer() -> None:
    client, server = pair()
    sequence = server.deliver(HELLO, 1.0)
    (asked,) = client.receive(server.take(), 1.0)
    assert isinstance(asked, Asked)
    client.answer(asked.pdu, Status.RX_T_APPN)
    (answered,) = server.receive(client.take(), 1.0)
    assert isinstance(answered, Answered)
    assert (answered.pdu.sequence, answered.pdu.status) == (sequence, Status.RX_T_APPN)


def test_a_bind_that_is_refused() -> None:
    client, server = Client(0.0), Server(0.0)
    client.bind(Bind("us", "wrong"), 0.0)
    (asked,) = server.receive(client.take(), 0.0)
    assert isinstance(asked, Asked)
    assert isinstance(server.turn_away(asked.pdu, Status.RINVPASWD)[0], Over)
    refused, over = client.receive(server.take(), 0.0)
    assert refused == Refused(Status.RINVPASWD)
    assert isinstance(over, Over) and "ESME_RINVPASWD" in over.reason
    assert client.is_over and server.is_over


def test_nobody_is_bound_twice_or_does_what_they_are_not_bound_for() -> None:
    client, server = pair(Command.BIND_TRANSMITTER)
    assert server.deliver(HELLO, 1.0) is None
    server.receive(write(Pdu(Command.BIND_RECEIVER, 9, 0, Bind("us"))), 1.0)
    assert told(server) == [(Command.BIND_RECEIVER_RESP, 9, Status.RALYBND)]
    client.receive(write(Pdu(Command.SUBMIT_SM, 3, 0, HELLO)), 1.0)
    assert told(client) == [(Command.SUBMIT_SM_RESP, 3, Status.RINVBNDSTS)]
    _, receiving = pair(Command.BIND_RECEIVER)
    receiving.receive(write(Pdu(Command.SUBMIT_SM, 3, 0, HELLO)), 1.0)
    assert told(receiving) == [(Command.SUBMIT_SM_RESP, 3, Status.RINVBNDSTS)]
    stranger = Server(0.0)
    assert stranger.receive(write(Pdu(Command.SUBMIT_SM, 3, 0, HELLO)), 1.0) == []
    assert told(stranger) == [(Command.SUBMIT_SM_RESP, 3, Status.RINVBNDSTS)]


def test_what_is_not_answered_in_time() -> None:
    client, _ = pair()
    first = client.ask(Command.SUBMIT_SM, HELLO, 1.0)
    second = client.ask(Command.SUBMIT_SM, HELLO, 2.0)
    assert client.due(2.0) == 11.0
    assert client.tick(10.9) == []
    assert client.tick(11.0) == [Unanswered(first)]
    assert client.tick(12.0) == [Unanswered(second)]
    late = write(Pdu(Command.SUBMIT_SM_RESP, first, 0, Named("late")))
    assert client.receive(late, 13.0) == []


def test_silence_is_asked_about() -> None:
    client, server = pair()
    client.take()
    assert client.due(0.0) == 10.0 and client.tick(29.0) == [] and client.take() == b""
    client.tick(30.0)
    assert server.receive(client.take(), 30.0) == []
    assert client.receive(server.take(), 30.5) == []
    client.tick(60.5)
    assert client.due(60.5) == 70.5
    assert told(client) == [(Command.ENQUIRE_LINK, 3, 0)]
    (over,) = client.tick(70.5)
    assert isinstance(over, Over) and client.is_over and not client.bound


def test_who_does_not_bind_is_sent_away() -> None:
    server = Server(0.0, TIMING)
    assert server.due(0.0) == 5.0
    assert isinstance(server.tick(5.0)[0], Over)
    client = Client(0.0, TIMING._replace(bind=50.0))
    client.bind(Bind("us"), 0.0)
    assert isinstance(client.tick(10.0)[0], Over)


def test_parting_in_peace() -> None:
    client, server = pair()
    client.unbind(1.0)
    assert isinstance(server.receive(client.take(), 1.0)[0], Over)
    assert client.receive(server.take(), 1.0) == [Over("unbound")]
    assert client.receive(b"more", 1.0) == []
    alone, _ = pair()
    alone.unbind(1.0)
    assert isinstance(alone.tick(11.0)[0], Over)


def test_what_is_no_command_or_torn_is_answered() -> None:
    client, _ = pair()
    client.take()
    unknown = bytes.fromhex("00000010000000770000000000000009")
    torn = bytes.fromhex("0000001200000005000000000000000a4141")
    assert client.receive(unknown + torn, 1.0) == []
    assert told(client) == [
        (Command.GENERIC_NACK, 9, Status.RINVCMDID),
        (Command.DELIVER_SM_RESP, 10, Status.RINVPARLEN),
    ]
    alert = bytes.fromhex("00000010000001020000000000000009")
    torn_answer = bytes.fromhex("00000012800000030000000000000009 4141".replace(" ", ""))
    assert client.receive(alert + torn_answer, 1.0) == [] and client.take() == b""


def test_who_speaks_something_else_is_left() -> None:
    client, _ = pair()
    client.take()
    (over,) = client.receive(b"HTTP/1.1 400 Bad Request\r\n", 1.0)
    assert isinstance(over, Over)
    assert told(client) == [(Command.GENERIC_NACK, 0, Status.RINVCMDLEN)]
    patient, _ = pair()
    unknown = bytes.fromhex("00000010000000770000000000000009")
    assert isinstance(patient.receive(unknown * 200, 1.0)[-1], Over)


def test_a_nack_answers_too() -> None:
    client, _ = pair()
    sequence = client.ask(Command.SUBMIT_SM, HELLO, 1.0)
    stray = write(Pdu(Command.DATA_SM_RESP, sequence, 0, Named("x")))
    assert client.receive(stray, 1.0) == []
    nack = Pdu(Command.GENERIC_NACK, sequence, Status.RINVCMDID)
    assert client.receive(write(nack), 1.0) == [Answered(nack)]


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=60), max_size=10), st.booleans())
def test_no_stream_breaks_a_session(pieces: list[bytes], framed: bool) -> None:
    for session in pair():
        for now, piece in enumerate(pieces, 1):
            data = (4 + len(piece)).to_bytes(4) + piece if framed else piece
            session.receive(data, float(now))
            session.tick(float(now))
        rest = session.take()
        while rest:
            size = int.from_bytes(rest[:4])
            assert not isinstance(read(rest[:size]), Malformed)
            rest = rest[size:]
