"""Requests that an agent refuses, answers by itself or passes over."""

import pytest
from tests.protocols.sip.network import Network, Peer, Phone

from tertulia.protocols.sip.agent import Limits
from tertulia.protocols.sip.signals import Asked, Ended, Invited, Keyed
from tertulia.protocols.sip.verbs import Answer, Challenge, Respond

SDP = "Content-Type: application/sdp\r\n"


def stage(limits: Limits | None = None) -> tuple[Network, Phone, Peer]:
    network = Network()
    return network, network.phone("bob", limits=limits), network.peer()


def text(
    method: str,
    *,
    branch: str = "z9hG4bK1",
    tag: str = "",
    cseq: int = 1,
    extra: str = "",
    target: str = "sip:bob@192.0.2.1",
    call_id: str = "c1",
    body: str = "",
    contact: str = "Contact: <sip:peer@192.0.2.200>\r\n",
) -> bytes:
    to = f";tag={tag}" if tag else ""
    return (
        f"{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.200:5060;rport;branch={branch}\r\n"
        f"From: <sip:peer@192.0.2.200>;tag=p1\r\nTo: <sip:bob@192.0.2.1>{to}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{contact}{extra}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def send(network: Network, peer: Peer, *requests: bytes, to: Phone) -> None:
    for request in requests:
        peer.send(request, to.address)
        network.run(0.3)


@pytest.mark.parametrize(
    ("request_", "status", "fields"),
    [
        (text("INVITE", extra="Max-Forwards: 0\r\n"), 483, {}),
        (text("INVITE", extra="Require: foo, 100rel\r\n"), 420, {"Unsupported": "foo"}),
        (text("INVITE", contact=""), 400, {}),
        (text("INVITE", extra="Content-Type: text/plain\r\n", body="hi"), 415, {}),
        (text("INVITE", extra=f"{SDP}Content-Encoding: gzip\r\n", body="hi"), 415, {}),
        (text("INVITE", extra="Session-Expires: 20\r\n"), 422, {"Min-SE": "90"}),
        (text("INVITE", extra="Replaces: x;to-tag=1;from-tag=2\r\n"), 481, {}),
        (text("INVITE", target="mailto:bob@x"), 416, {}),
        (text("INVITE", tag="nobody"), 481, {}),
        (text("SUBSCRIBE"), 405, {}),
        (text("FLY"), 501, {}),
        (text("BYE", tag="nobody"), 481, {}),
        (text("BYE"), 481, {}),
        (text("INFO", tag="x"), 481, {}),
        (text("NOTIFY"), 481, {}),
        (text("CANCEL"), 481, {}),
        (text("REFER"), 405, {}),
        (text("OPTIONS"), 200, {"Accept": "application/sdp"}),
    ],
)
def test_what_cannot_be_done_is_said(request_: bytes, status: int, fields: dict[str, str]) -> None:
    network, bob, peer = stage()
    send(network, peer, request_, to=bob)
    answer = peer.received[0]
    assert peer.statuses()[0] == status
    assert {name: answer.headers.get(name) for name in fields} == fields
    assert answer.to.tag
    send(network, peer, text("ACK", tag=answer.to.tag), to=bob)
    network.run()
    assert bob.signals == []
    assert not any(bob.agent.sizes.values())


def test_stray_acknowledgements_and_responses_are_dropped() -> None:
    network, bob, peer = stage()
    stray = text("ACK", tag="x").replace(b"ACK sip:bob@192.0.2.1 SIP/2.0", b"SIP/2.0 200 OK")
    send(network, peer, text("ACK"), text("ACK", tag="x"), stray, to=bob)
    assert peer.received == []
    assert bob.agent.dropped == 3


def test_a_merged_request_is_a_loop() -> None:
    network, bob, peer = stage()
    send(network, peer, text("INVITE"), text("INVITE", branch="z9hG4bK2"), to=bob)
    assert peer.statuses() == [100, 482]
    assert bob.kinds() == ["Invited"]


def test_a_repeated_invite_gets_the_last_response_again() -> None:
    network, bob, peer = stage()
    send(network, peer, text("INVITE"), text("INVITE"), to=bob)
    assert peer.statuses() == [100, 100]
    assert bob.kinds() == ["Invited"]


def test_old_clients_without_the_magic_cookie() -> None:
    network, bob, peer = stage()
    send(network, peer, text("INVITE", branch="1"), text("INVITE", branch="1"), to=bob)
    assert bob.kinds() == ["Invited"]
    send(network, peer, text("CANCEL", branch="1"), to=bob)
    assert sorted(peer.statuses()) == [100, 100, 200, 487]
    tag = peer.received[-1].to.tag
    wrong, right = text("ACK", branch="1", tag="other"), text("ACK", branch="1", tag=tag)
    send(network, peer, wrong, to=bob)
    network.run(1)
    repeated = peer.statuses().count(487)
    assert repeated > 1
    send(network, peer, right, to=bob)
    network.run()
    assert peer.statuses().count(487) == repeated
    assert not any(bob.agent.sizes.values())


def test_responses_go_to_the_port_of_the_via_without_rport() -> None:
    network, bob, peer = stage()
    request = text("OPTIONS").replace(b":5060;rport", b":5070")
    network.peers = {("192.0.2.200", 5070): peer}
    send(network, peer, request, to=bob)
    assert peer.statuses() == [200]


def test_beyond_the_limit_strangers_wait() -> None:
    network, bob, peer = stage(Limits(calls=1))
    send(network, peer, text("INVITE"), text("INVITE", branch="z9hG4bK2", call_id="c2"), to=bob)
    assert peer.statuses() == [100, 503]
    assert peer.received[-1].headers.get("Retry-After") == "10"


def test_a_flood_of_strangers_leaves_nothing_behind() -> None:
    network, bob, peer = stage()

    def challenge(phone: Phone, signal: object) -> None:
        if isinstance(signal, Invited | Asked):
            phone.tell(Challenge(signal.call, (("WWW-Authenticate", 'Digest realm="r"'),)))

    bob.react = challenge
    for number in range(50):
        branch, call_id = f"z9hG4bK{number}", str(number)
        method = "INVITE" if number % 2 else "REGISTER"
        peer.send(text(method, branch=branch, call_id=call_id), bob.address)
    network.run(1)
    assert peer.statuses().count(401) == 50
    assert not any(bob.agent.sizes.values())


def test_a_registration_is_the_owners_matter() -> None:
    network, bob, peer = stage()
    send(network, peer, text("REGISTER"), text("REGISTER"), to=bob)
    assert bob.kinds() == ["Asked"]
    bob.tell(Respond(bob.signals[0].call, 200, headers=(("Contact", "<sip:x@y>;expires=60"),)))
    network.run(1)
    send(network, peer, text("REGISTER"), to=bob)
    assert peer.statuses() == [200, 200]
    assert peer.received[0].headers.get("Contact") == "<sip:x@y>;expires=60"
    send(network, peer, text("REGISTER", branch="z9hG4bK9", cseq=2), to=bob)
    network.run()
    assert not any(bob.agent.sizes.values())


def established() -> tuple[Network, Phone, Peer, str]:
    network, bob, peer = stage()
    send(network, peer, text("INVITE", extra=SDP, body="v=0\r\n"), to=bob)
    bob.tell(Answer("bob-in-1", b"v=0"))
    network.run(0.1)
    tag = peer.received[-1].to.tag
    send(network, peer, text("ACK", branch="z9hG4bK2", tag=tag), to=bob)
    peer.received.clear()
    bob.signals.clear()
    return network, bob, peer, tag


@pytest.mark.parametrize(
    ("kind", "body", "status", "key"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", 200, ("5", 160)),
        ("application/dtmf-relay", "Signal= 11\r\nDuration= 99999\r\n", 200, ("#", 5000)),
        ("application/dtmf-relay", "signal=a\n", 200, ("A", 250)),
        ("application/dtmf", "10", 200, ("*", 250)),
        ("application/dtmf", " 7 ", 200, ("7", 250)),
        ("application/dtmf", "77", 400, None),
        ("application/dtmf-relay", "Duration=160", 400, None),
        ("text/plain", "5", 415, None),
        ("text/plain", "", 200, None),
    ],
)
def test_keys_by_info(kind: str, body: str, status: int, key: tuple[str, int] | None) -> None:
    network, bob, peer, tag = established()
    extra = f"Content-Type: {kind}\r\n"
    info = text("INFO", branch="z9hG4bK3", tag=tag, cseq=2, extra=extra, body=body)
    send(network, peer, info, info, to=bob)
    assert peer.statuses() == [status, status]
    assert bob.signals == ([Keyed("bob-in-1", *key)] if key else [])


def test_requests_in_a_call_come_in_order_or_not_at_all() -> None:
    network, bob, peer, tag = established()
    later = text("INFO", branch="z9hG4bK5", tag=tag, cseq=5)
    earlier = text("INFO", branch="z9hG4bK4", tag=tag, cseq=4)
    send(network, peer, later, earlier, to=bob)
    assert peer.statuses() == [200, 500]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (lambda tag: text("OPTIONS", branch="z9hG4bKx", tag=tag, cseq=9), 200),
        (lambda tag: text("UPDATE", branch="z9hG4bKx", tag=tag, cseq=9), 200),
        (lambda tag: text("PRACK", branch="z9hG4bKx", tag=tag, cseq=9), 481),
        (lambda tag: text("NOTIFY", branch="z9hG4bKx", tag=tag, cseq=9), 489),
        (lambda tag: text("REFER", branch="z9hG4bKx", tag=tag, cseq=9), 400),
        (lambda tag: text("MESSAGE", branch="z9hG4bKx", tag=tag, cseq=9), 405),
        (lambda tag: text("FLY", branch="z9hG4bKx", tag=tag, cseq=9), 501),
    ],
)
def test_requests_in_a_call(request_: object, status: int) -> None:
    network, bob, peer, tag = established()
    assert callable(request_)
    send(network, peer, request_(tag), to=bob)
    assert peer.statuses() == [status]
    bye = text("BYE", branch="z9hG4bKb", tag=tag, cseq=10, extra="Reason: SIP;cause=486\r\n")
    send(network, peer, bye, to=bob)
    network.run()
    (ended,) = [signal for signal in bob.signals if isinstance(signal, Ended)]
    assert (ended.code, ended.reason) == (486, "SIP;cause=486")
    assert not any(bob.agent.sizes.values())


def test_a_session_description_among_other_parts_is_found() -> None:
    network, bob, peer = stage()
    body = (
        "--b1\r\nContent-Type: application/isup\r\n\r\nxx\r\n"
        "--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\ns=-\r\n--b1--\r\n"
    )
    extra = 'Content-Type: multipart/mixed; boundary="b1"\r\n'
    send(network, peer, text("INVITE", extra=extra, body=body), to=bob)
    (signal,) = bob.signals
    assert isinstance(signal, Invited)
    assert signal.body == b"v=0\r\ns=-\r\n"
