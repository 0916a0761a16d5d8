"""Call flows between two agents under virtual time (RFC 3665 and what users do besides)."""

from typing import TypeVar

import pytest
from tests.protocols.sip.network import Network, Phone

from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import Request
from tertulia.protocols.sip.signals import (
    Agreed,
    Answered,
    AnySignal,
    Ended,
    Failed,
    Invited,
    Keyed,
    Rang,
    Referred,
    Reoffered,
)
from tertulia.protocols.sip.verbs import (
    Accept,
    Answer,
    Challenge,
    HangUp,
    Invite,
    Key,
    Offer,
    Progress,
    Refer,
    ReferResult,
    Refuse,
    Ring,
)

OFFER = b"v=0\r\no=alice\r\n"
REPLY = b"v=0\r\no=bob\r\n"
OTHER = b"v=0\r\no=alice again\r\n"
B = "bob-in-1"
T = TypeVar("T")


class Pair:
    """Alice, who calls, and Bob."""

    def __init__(self, transport: str = "udp") -> None:
        self.network = Network(transport=transport)
        self.alice = self.network.phone("alice")
        self.bob = self.network.phone("bob")

    def invite(self, body: bytes = OFFER, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.alice.tell(Invite("a", self.bob.uri, self.alice.uri, body, headers=headers))
        self.network.run(1)

    def establish(self) -> None:
        self.invite()
        self.bob.tell(Ring(B))
        self.network.run(1)
        self.bob.tell(Answer(B, REPLY))
        self.network.run(1)
        self.alice.signals.clear()
        self.bob.signals.clear()

    def finish(self) -> None:
        """Everybody hangs up, and nothing stays."""
        self.network.run(1)
        self.alice.tell(HangUp("a"))
        self.network.run()
        assert not any(self.alice.agent.sizes.values()), self.alice.agent.sizes
        assert not any(self.bob.agent.sizes.values()), self.bob.agent.sizes


@pytest.fixture(params=["udp", "tcp", "tls"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


def only(phone: Phone, kind: type[T]) -> T:
    (found,) = [signal for signal in phone.signals if isinstance(signal, kind)]
    return found


def test_a_call_is_made_answered_and_ended(pair: Pair) -> None:
    pair.invite()
    pair.bob.tell(Ring(B))
    pair.network.run(1)
    pair.bob.tell(Answer(B, REPLY))
    pair.network.run(1)
    pair.finish()
    assert pair.alice.kinds() == ["Rang", "Answered"]
    assert pair.bob.kinds() == ["Invited", "Acknowledged", "Ended"]
    assert only(pair.bob, Invited).body == OFFER
    assert only(pair.alice, Answered).body == REPLY
    assert [line.split(" sip")[0] for line in pair.alice.steps] == [
        "> INVITE",
        "< SIP/2.0 100 Trying",
        "< SIP/2.0 180 Ringing",
        "< SIP/2.0 200 OK",
        "> ACK",
        "> BYE",
        "< SIP/2.0 200 OK",
    ]


def test_the_callee_hangs_up_and_says_why(pair: Pair) -> None:
    pair.establish()
    pair.bob.tell(HangUp(B, 'SIP;cause=480;text="Gone"'))
    pair.network.run(1)
    ended = only(pair.alice, Ended)
    assert (ended.code, ended.text, ended.reason) == (480, "Gone", 'SIP;cause=480;text="Gone"')
    assert pair.bob.kinds() == []
    pair.finish()


def test_early_media_is_acknowledged_and_then_answered(pair: Pair) -> None:
    pair.invite()
    pair.bob.tell(Progress(B, b"early"))
    pair.bob.tell(Answer(B, REPLY))
    pair.network.run(1)
    rang = only(pair.alice, Rang)
    assert (rang.code, rang.body) == (183, b"early")
    assert only(pair.alice, Answered).body == REPLY
    assert len([m for m in pair.alice.sent if isinstance(m, Request) and m.method == "PRACK"]) == 1
    pair.finish()


def test_the_caller_gives_up(pair: Pair) -> None:
    pair.invite()
    pair.bob.tell(Ring(B))
    pair.network.run(1)
    pair.alice.tell(HangUp("a", 'SIP;cause=200;text="Call completed elsewhere"'))
    pair.network.run(1)
    assert pair.alice.kinds() == ["Rang"]
    ended = only(pair.bob, Ended)
    assert (ended.code, ended.text) == (200, "Call completed elsewhere")
    pair.finish()


def test_cancel_waits_for_a_provisional_response() -> None:
    pair = Pair()
    pair.alice.tell(Invite("a", pair.bob.uri, pair.alice.uri, OFFER))
    pair.alice.tell(HangUp("a"))
    assert [m.method for m in pair.alice.sent if isinstance(m, Request)] == ["INVITE"]
    pair.network.run(1)
    assert only(pair.bob, Ended).code == 487
    assert pair.alice.kinds() == []
    pair.finish()


def test_cancel_and_answer_cross() -> None:
    pair = Pair()
    pair.invite()
    pair.alice.tell(HangUp("a"))
    pair.bob.tell(Answer(B, REPLY))
    pair.network.run(5)
    assert pair.alice.kinds() == []
    assert pair.bob.kinds() == ["Invited", "Acknowledged", "Ended"]
    pair.finish()


@pytest.mark.parametrize("code", [302, 404, 486, 603])
def test_a_call_is_refused(code: int) -> None:
    pair = Pair()
    pair.invite()
    pair.bob.tell(Refuse(B, code, "For a Reason", (("Retry-After", "30"),)))
    pair.network.run(1)
    failed = only(pair.alice, Failed)
    assert (failed.code, failed.text) == (code, "For a Reason")
    assert failed.message is not None
    assert failed.message.headers.get("Retry-After") == "30"
    assert pair.bob.kinds() == ["Invited"]
    pair.finish()


def test_nobody_answers() -> None:
    pair = Pair()
    pair.alice.tell(Invite("a", pair.bob.uri, pair.alice.uri, OFFER, timeout=20))
    pair.network.run(30)
    assert only(pair.alice, Failed).code == 408
    assert only(pair.bob, Ended).code == 487
    pair.finish()


def test_the_owner_of_a_call_that_came_forgets_it() -> None:
    pair = Pair()
    pair.alice.tell(Invite("a", pair.bob.uri, pair.alice.uri, OFFER, timeout=1000))
    pair.network.run(301)
    assert only(pair.bob, Ended).code == 480
    assert only(pair.alice, Failed).code == 480
    pair.finish()


def test_a_call_to_nowhere_fails_at_once() -> None:
    pair = Pair()
    pair.alice.tell(Invite("a", "sip:bob@nowhere.example", pair.alice.uri, OFFER))
    assert only(pair.alice, Failed).code == 503
    pair.finish()


def test_a_call_without_an_offer(pair: Pair) -> None:
    pair.invite(b"")
    assert only(pair.bob, Invited).body == b""
    pair.bob.tell(Answer(B, REPLY))
    pair.network.run(3)
    answered = only(pair.alice, Answered)
    assert (answered.offer, answered.body) == (True, REPLY)
    pair.alice.tell(Accept("a", OFFER))
    pair.network.run(1)
    assert pair.bob.kinds() == ["Invited", "Agreed", "Acknowledged"]
    assert only(pair.bob, Agreed).body == OFFER
    pair.finish()


def test_an_offer_that_the_caller_never_answers() -> None:
    pair = Pair()
    pair.invite(b"")
    pair.bob.tell(Answer(B, REPLY))
    pair.network.run(40)
    assert pair.alice.kinds() == ["Answered", "Ended"]
    assert pair.bob.kinds()[-1] == "Ended"
    pair.finish()


def test_media_moves_by_re_invite(pair: Pair) -> None:
    pair.establish()
    pair.alice.tell(Offer("a", OTHER))
    pair.network.run(1)
    assert only(pair.bob, Reoffered).body == OTHER
    pair.bob.tell(Answer(B, b"moved"))
    pair.network.run(1)
    assert only(pair.alice, Agreed).body == b"moved"
    pair.finish()


def test_a_re_invite_is_refused_and_the_call_goes_on(pair: Pair) -> None:
    pair.establish()
    pair.bob.tell(Offer(B, OTHER))
    pair.network.run(1)
    pair.alice.tell(Refuse("a", 488))
    pair.network.run(1)
    assert pair.bob.kinds() == ["Disagreed"]
    pair.alice.tell(Key("a", "#", 120))
    pair.network.run(1)
    assert only(pair.bob, Keyed) == Keyed(B, "#", 120)
    pair.finish()


def test_both_offer_at_once_and_both_get_their_answer() -> None:
    pair = Pair()
    pair.establish()
    pair.alice.react = pair.bob.react = accept_everything
    pair.alice.tell(Offer("a", OTHER))
    pair.bob.tell(Offer(B, b"bob moves"))
    pair.network.run(10)
    assert sorted(pair.alice.kinds()) == ["Acknowledged", "Agreed", "Reoffered"]
    assert sorted(pair.bob.kinds()) == ["Acknowledged", "Agreed", "Reoffered"]
    assert any("491" in line for line in pair.alice.steps)
    pair.finish()


def accept_everything(phone: Phone, signal: AnySignal) -> None:
    if isinstance(signal, Reoffered):
        phone.tell(Answer(signal.call, b"agreed"))


def test_offers_wait_for_each_other() -> None:
    pair = Pair()
    pair.establish()
    pair.bob.react = accept_everything
    for body in (b"one", b"two", b"three"):
        pair.alice.tell(Offer("a", body))
    pair.network.run(5)
    bodies = [signal.body for signal in pair.bob.signals if isinstance(signal, Reoffered)]
    assert bodies == [b"one", b"three"]
    pair.finish()


def test_a_session_is_refreshed_without_the_owner() -> None:
    pair = Pair()
    pair.establish()
    pair.network.run(4000)
    assert (pair.alice.kinds(), pair.bob.kinds()) == ([], [])
    assert sum("UPDATE" in line for line in pair.alice.steps) == 4
    pair.finish()


def test_a_dead_session_expires_on_both_sides() -> None:
    pair = Pair()
    pair.establish()
    pair.network.sees = lambda flow, data: False
    pair.network.run(4000)
    assert only(pair.alice, Ended).code == 408
    assert only(pair.bob, Ended).code == 408
    pair.finish()


def test_a_lost_ack_is_repeated() -> None:
    pair = Pair()
    pair.invite()
    lost: list[bytes] = []

    def once(flow: Flow, data: bytes) -> bool:
        if data.startswith(b"ACK") and len(lost) < 3:
            lost.append(data)
            return False
        return True

    pair.network.sees = once
    pair.bob.tell(Answer(B, REPLY))
    pair.network.run(10)
    assert pair.bob.kinds() == ["Invited", "Acknowledged"]
    assert pair.alice.kinds() == ["Answered"]
    assert len(lost) == 3
    pair.finish()


def test_no_ack_ever() -> None:
    pair = Pair()
    pair.invite()
    pair.network.sees = lambda flow, data: not data.startswith(b"ACK")
    pair.bob.tell(Answer(B, REPLY))
    pair.network.run(40)
    assert only(pair.bob, Ended).code == 408
    assert only(pair.alice, Ended).text == "No ACK"
    pair.finish()


def test_a_transfer_is_reported(pair: Pair) -> None:
    pair.establish()
    pair.bob.tell(Refer(B, "sip:carol@192.0.2.77"))
    pair.network.run(1)
    referred = only(pair.alice, Referred)
    assert (referred.to, referred.replaces) == ("sip:carol@192.0.2.77", "")
    pair.alice.tell(ReferResult("a", 180))
    pair.alice.tell(ReferResult("a", 200))
    pair.network.run(1)
    codes = [getattr(signal, "code", None) for signal in pair.bob.signals]
    assert codes == [100, 180, 200]
    pair.alice.tell(ReferResult("a", 200))
    assert pair.bob.kinds() == ["Transferred"] * 3
    pair.finish()


def test_a_caller_is_challenged_and_nothing_of_it_is_kept() -> None:
    pair = Pair()
    pair.invite()
    value = 'Digest realm="here", nonce="abc", algorithm=SHA-256, qop="auth"'
    pair.bob.tell(Challenge(B, (("WWW-Authenticate", value),)))
    assert not any(pair.bob.agent.sizes.values())
    pair.network.run(1)
    assert only(pair.alice, Failed).code == 401
    pair.finish()


def test_names_and_fields_of_the_caller_arrive() -> None:
    pair = Pair()
    headers = (("X-Key", "value"), ("User-to-User", "48656c6c6f;encoding=hex"))
    pair.invite(headers=headers)
    message = only(pair.bob, Invited).message
    assert message.headers.get("X-Key") == "value"
    assert message.headers.get("User-to-User") == "48656c6c6f;encoding=hex"
    pair.bob.tell(Answer(B, REPLY, (("X-Answer", "yes"),)))
    pair.network.run(1)
    assert only(pair.alice, Answered).message.headers.get("X-Answer") == "yes"
    pair.finish()


def test_a_withheld_caller_is_named_to_trusted_peers_alone() -> None:
    pair = Pair()
    invite = Invite("a", pair.bob.uri, "sip:15550100@a.example", OFFER, "Alice", withheld=True)
    pair.alice.tell(invite)
    assert b"15550100" not in pair.alice.sent[0].encode()
    assert pair.alice.sent[0].headers.get("Privacy") == "id"
    pair.finish()
    pair = Pair()
    pair.alice.tell(
        Invite("a", pair.bob.uri, "sip:15550100@a.example", OFFER, withheld=True, asserted=True)
    )
    asserted = pair.alice.sent[0].headers.get("P-Asserted-Identity")
    assert asserted == "<sip:15550100@a.example>"
    pair.finish()


def test_a_connection_is_lost_while_it_rings() -> None:
    pair = Pair("tcp")
    pair.invite()
    pair.bob.tell(Ring(B))
    pair.network.run(1)
    pair.alice.agent.connection_lost(pair.alice.flow_to(pair.bob), pair.network.now)
    pair.bob.agent.connection_lost(pair.bob.flow_to(pair.alice), pair.network.now)
    for phone in (pair.alice, pair.bob):
        pair.network.drain(phone)
    pair.finish()
    assert only(pair.bob, Ended).code == 503


def test_names_that_are_taken_or_no_uris_are_refused() -> None:
    pair = Pair()
    pair.establish()
    with pytest.raises(ValueError, match="name"):
        pair.alice.tell(Invite("a", pair.bob.uri, pair.alice.uri))
    with pytest.raises(ValueError, match="URI"):
        pair.alice.tell(Invite("b", "not a uri", pair.alice.uri))
    pair.finish()
