"""Calls to somebody whose answers are written by hand: forks, routes, redirection, credentials."""

import pytest
from tests.protocols.sip.network import Network

from tertulia.protocols.sip.agent import Preferences
from tertulia.protocols.sip.digest import Credentials, expected, parse_authorization, secret_hash
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import Request
from tertulia.protocols.sip.signals import Answered, Ended, Failed, Invited, Rang, Replied
from tertulia.protocols.sip.verbs import (
    Answer,
    Ask,
    Forget,
    HangUp,
    Invite,
    Offer,
    Progress,
    Refer,
    Refuse,
)

CALLER = "sip:alice@192.0.2.1"


class Stage:
    """Alice, and a peer who is called."""

    def __init__(self, preferences: Preferences | None = None) -> None:
        self.network = Network()
        self.alice = self.network.phone("alice", preferences)
        self.peer = self.network.peer()

    def invite(self, body: bytes = b"offer", route: tuple[str, ...] = ()) -> Request:
        self.alice.tell(Invite("a", self.peer.uri, CALLER, body, route=route))
        self.network.run(0.1)
        return self.peer.requests("INVITE")[-1]

    def answer(self, request: Request, status: int, tag: str = "p", **fields: str) -> None:
        body = b"answer" if 183 <= status < 300 and request.method == "INVITE" else b""
        self.peer.answer(request, status, tag, body, **fields)
        self.network.run(0.1)

    def last(self, method: str) -> Request:
        return self.peer.requests(method)[-1]

    def finish(self) -> None:
        self.alice.tell(HangUp("a"))
        self.network.run(0.1)
        for bye in self.peer.requests("BYE"):
            self.peer.answer(bye, 200)
        self.network.run()
        assert not any(self.alice.agent.sizes.values()), self.alice.agent.sizes


def test_a_fork_is_answered_by_several() -> None:
    stage = Stage()
    invite = stage.invite()
    for tag in ("one", "two", "three"):
        stage.answer(invite, 180, tag)
    stage.answer(invite, 200, "two")
    stage.answer(invite, 200, "three")
    stage.answer(invite, 200, "two")
    assert [s.fork for s in stage.alice.signals if isinstance(s, Rang)] == ["one", "two", "three"]
    assert stage.alice.kinds().count("Answered") == 1
    assert [ack.to.tag for ack in stage.peer.requests("ACK")] == ["two", "three", "two"]
    assert [bye.to.tag for bye in stage.peer.requests("BYE")] == ["three"]
    stage.finish()
    assert {bye.to.tag for bye in stage.peer.requests("BYE")} == {"two", "three"}


def test_requests_follow_the_recorded_route() -> None:
    stage = Stage()
    proxy = stage.network.peer("192.0.2.201")
    route = "<sip:192.0.2.201;lr>, <sip:192.0.2.200;lr>"
    stage.answer(stage.invite(), 200, Record_Route="<sip:192.0.2.200;lr>, <sip:192.0.2.201;lr>")
    (ack,) = proxy.requests("ACK")
    assert ", ".join(ack.headers.all("Route")) == route
    assert ack.target == stage.peer.uri
    stage.finish()
    assert proxy.requests("BYE")[0].headers.all("Route") == ack.headers.all("Route")


def test_a_strict_router_gets_what_it_expects() -> None:
    stage = Stage()
    proxy = stage.network.peer("192.0.2.201")
    stage.answer(stage.invite(), 200, Record_Route="<sip:192.0.2.200;lr>, <sip:192.0.2.201>")
    (ack,) = proxy.requests("ACK")
    assert ack.target == "sip:192.0.2.201"
    assert ack.headers.all("Route") == ["<sip:192.0.2.200;lr>", f"<{stage.peer.uri}>"]
    stage.finish()


def test_a_call_through_a_proxy_that_is_told() -> None:
    stage = Stage()
    proxy = stage.network.peer("192.0.2.201")
    stage.alice.tell(
        Invite("a", "sip:15550100@far.example", CALLER, b"o", route=("sip:192.0.2.201",))
    )
    stage.network.run(0.1)
    (invite,) = proxy.requests("INVITE")
    assert invite.target == "sip:15550100@far.example"
    assert invite.headers.all("Route") == ["<sip:192.0.2.201;lr>"]
    proxy.answer(invite, 404)
    stage.network.run(0.1)
    assert proxy.requests("ACK")[0].headers.all("Route") == ["<sip:192.0.2.201;lr>"]
    stage.finish()


def test_the_target_moves_with_a_re_invite() -> None:
    stage = Stage()
    stage.answer(stage.invite(), 200)
    other = stage.network.peer("192.0.2.201")
    stage.alice.tell(Offer("a", b"again"))
    stage.network.run(0.1)
    stage.answer(stage.last("INVITE"), 200, Contact=f"<{other.uri}>")
    assert len(other.requests("ACK")) == 1
    stage.alice.tell(HangUp("a"))
    stage.network.run(0.1)
    assert other.requests("BYE")[0].target == other.uri
    stage.finish()


def test_redirection_goes_to_the_best_target_first() -> None:
    stage = Stage()
    first, second = stage.network.peer("192.0.2.201"), stage.network.peer("192.0.2.202")
    targets = f"<{second.uri}>;q=0.2, <{first.uri}>;q=0.9, <mailto:a@b>"
    stage.answer(stage.invite(), 302, Contact=targets)
    (invite,) = first.requests("INVITE")
    assert (invite.target, invite.cseq.number) == (first.uri, 2)
    first.answer(invite, 486)
    stage.network.run(0.1)
    (invite,) = second.requests("INVITE")
    second.answer(invite, 302, Contact=f"<{stage.peer.uri}>")
    stage.network.run(0.1)
    (failed,) = [signal for signal in stage.alice.signals if isinstance(signal, Failed)]
    assert failed.code == 302
    stage.finish()


def test_redirection_has_an_end() -> None:
    stage = Stage(Preferences(redirects=3))
    invite = stage.invite()
    for number in range(10):
        stage.answer(invite, 302, Contact=f"<sip:{number}@192.0.2.200>")
        invite = stage.last("INVITE")
    assert len(stage.peer.requests("INVITE")) == 4
    assert stage.alice.kinds() == ["Failed"]
    stage.finish()


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        (401, "WWW_Authenticate", "Authorization"),
        (407, "Proxy_Authenticate", "Proxy-Authorization"),
    ],
)
def test_credentials_are_given_once(status: int, asks: str, answers: str) -> None:
    stage = Stage()
    stage.alice.credentials = Credentials("alice", "secret")
    challenge = 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'
    stage.answer(stage.invite(), status, **{asks: challenge})
    invite = stage.last("INVITE")
    given = parse_authorization(invite.headers.get(answers) or "")
    assert given is not None
    secret = secret_hash("SHA-256", "alice", "r", "secret")
    assert given.response == expected(given, secret, "INVITE")
    assert invite.cseq.number == 2
    stage.answer(invite, status, **{asks: challenge.replace('"n"', '"n2", stale=true')})
    assert len(stage.peer.requests("INVITE")) == 3
    stage.answer(stage.last("INVITE"), 200)
    assert stage.last("ACK").headers.get(answers)
    assert stage.last("ACK").cseq.number == 3
    stage.finish()


def test_wrong_credentials_end_the_call() -> None:
    stage = Stage()
    stage.alice.credentials = Credentials("alice", "wrong")
    challenge = 'Digest realm="r", nonce="n"'
    stage.answer(stage.invite(), 401, WWW_Authenticate=challenge)
    stage.answer(stage.last("INVITE"), 401, WWW_Authenticate=challenge)
    assert stage.alice.kinds() == ["Failed"]
    stage.finish()


def test_a_challenge_that_comes_after_hanging_up_is_not_answered() -> None:
    stage = Stage()
    stage.alice.credentials = Credentials("alice", "secret")
    invite = stage.invite()
    stage.alice.tell(HangUp("a"))
    stage.answer(invite, 401, WWW_Authenticate='Digest realm="r", nonce="n"')
    assert len(stage.peer.requests("INVITE")) == 1
    stage.finish()


def test_reliable_responses_are_acknowledged_in_order() -> None:
    stage = Stage()
    invite = stage.invite()
    stage.answer(invite, 180, Require="100rel", RSeq="7")
    stage.answer(invite, 183, Require="100rel", RSeq="9")
    stage.answer(invite, 180, Require="100rel", RSeq="7")
    stage.answer(invite, 183, Require="100rel", RSeq="8")
    racks = [prack.headers.get("RAck") for prack in stage.peer.requests("PRACK")]
    assert racks == ["7 1 INVITE", "8 1 INVITE"]
    assert [s.code for s in stage.alice.signals if isinstance(s, Rang)] == [180, 183]
    for prack in stage.peer.requests("PRACK"):
        stage.peer.answer(prack, 200)
    stage.answer(invite, 200)
    stage.finish()


def test_a_session_that_is_too_short_is_made_longer() -> None:
    stage = Stage(Preferences(session_expires=120))
    stage.answer(stage.invite(), 422, Min_SE="600")
    invite = stage.last("INVITE")
    assert (invite.headers.get("Session-Expires"), invite.headers.get("Min-SE")) == ("600", "600")
    stage.answer(invite, 200, Session_Expires="600;refresher=uac")
    stage.network.run(300)
    assert len(stage.peer.requests("INVITE")) == 3
    assert stage.last("INVITE").body == b"offer"
    stage.answer(stage.last("INVITE"), 200, Session_Expires="600;refresher=uac")
    stage.finish()


def test_who_does_not_refresh_is_hung_up() -> None:
    stage = Stage()
    stage.answer(stage.invite(), 200, Session_Expires="90;refresher=uas")
    stage.network.run(61)
    (ended,) = [signal for signal in stage.alice.signals if isinstance(signal, Ended)]
    assert ended.code == 408
    assert 'text="Expired"' in (stage.last("BYE").headers.get("Reason") or "")
    stage.finish()


def test_a_dialog_that_the_other_end_does_not_know_is_over() -> None:
    stage = Stage()
    stage.answer(stage.invite(), 200)
    stage.alice.tell(Offer("a", b"again"))
    stage.network.run(0.1)
    stage.answer(stage.last("INVITE"), 481)
    assert stage.alice.kinds() == ["Answered", "Ended"]
    stage.finish()


def test_a_referral_that_wants_no_subscription() -> None:
    stage = Stage()
    stage.answer(stage.invite(), 200)
    stage.alice.tell(Refer("a", "sip:c@192.0.2.9"))
    stage.network.run(0.1)
    stage.answer(stage.last("REFER"), 200, Refer_Sub="false")
    assert stage.alice.kinds() == ["Answered", "Transferred"]
    stage.finish()


def test_an_attended_transfer_names_both_calls() -> None:
    network = Network()
    hub, phone = network.phone("hub"), network.phone("phone")
    phone.tell(Invite("one", hub.uri, phone.uri, b"offer"))
    phone.tell(Invite("two", hub.uri, phone.uri, b"offer"))
    network.run(1)
    hub.tell(Answer("hub-in-1", b"answer"))
    hub.tell(Answer("hub-in-2", b"answer"))
    network.run(1)
    phone.tell(Refer("one", "sip:third@192.0.2.9;user=phone", replaces="two"))
    network.run(1)
    (referred,) = [signal for signal in hub.of("hub-in-1") if type(signal).__name__ == "Referred"]
    assert getattr(referred, "replaces", "") == "hub-in-2"
    assert getattr(referred, "to", "") == "sip:third@192.0.2.9;user=phone"


def test_a_call_takes_the_place_of_another() -> None:
    network = Network()
    hub, phone, third = network.phone("hub"), network.phone("phone"), network.phone("third")
    phone.tell(Invite("one", hub.uri, phone.uri, b"offer"))
    network.run(1)
    hub.tell(Answer("hub-in-1", b"answer"))
    network.run(1)
    (answered,) = [signal for signal in phone.signals if isinstance(signal, Answered)]
    names = f"{answered.message.call_id};from-tag={answered.message.from_.tag}"
    value = f"{names};to-tag={answered.message.to.tag}"
    third.tell(Invite("x", hub.uri, third.uri, b"offer", headers=(("Replaces", value),)))
    early = (("Replaces", f"{value};early-only"),)
    third.tell(Invite("y", hub.uri, third.uri, b"offer", headers=early))
    network.run(1)
    invited = [signal for signal in hub.signals if isinstance(signal, Invited)]
    assert [signal.replaces for signal in invited] == ["", "hub-in-1"]
    (failed,) = [signal for signal in third.signals if isinstance(signal, Failed)]
    assert (failed.call, failed.code) == ("y", 486)


def test_a_registration_is_refreshed_under_one_name() -> None:
    network = Network()
    alice, peer = network.phone("alice"), network.peer()
    alice.credentials = Credentials("alice", "secret")
    ask = Ask("r", "REGISTER", "sip:192.0.2.200", "sip:alice@a.example", expires=60)
    alice.tell(ask)
    network.run(0.1)
    register = peer.requests("REGISTER")[-1]
    assert register.to.uri == register.from_.uri
    assert register.headers.get("Contact") == "<sip:alice@192.0.2.1:5060>"
    peer.answer(register, 423, Min_Expires="600")
    network.run(0.1)
    peer.answer(peer.requests("REGISTER")[-1], 401, WWW_Authenticate='Digest realm="r", nonce="n"')
    network.run(0.1)
    register = peer.requests("REGISTER")[-1]
    assert register.headers.get("Expires") == "600"
    peer.answer(register, 200)
    network.run(0.1)
    alice.tell(ask)
    network.run(0.1)
    sequence = [(each.call_id, each.cseq.number) for each in peer.requests("REGISTER")]
    assert sequence == [(register.call_id, number) for number in (1, 2, 3, 4)]
    assert [(s.code, s.flow is not None) for s in alice.signals if isinstance(s, Replied)] == [
        (200, True)
    ]
    alice.tell(Forget("r"))
    network.run()
    assert not any(alice.agent.sizes.values())


def test_a_question_that_nobody_answers() -> None:
    network = Network()
    alice, peer = network.phone("alice"), network.peer()
    alice.tell(Ask("o", "OPTIONS", peer.uri, CALLER))
    network.run()
    assert [(s.code, s.message) for s in alice.signals if isinstance(s, Replied)] == [(408, None)]
    assert len(peer.requests("OPTIONS")) == 11
    assert not any(alice.agent.sizes.values())


def test_early_media_without_the_acknowledgement_that_it_needs() -> None:
    network = Network()
    bob, alice = network.phone("bob"), network.phone("alice")
    alice.tell(Invite("a", bob.uri, alice.uri, b"offer"))
    network.run(1)
    network.sees = lambda flow, data: not data.startswith(b"PRACK")
    bob.tell(Progress("bob-in-1", b"early"))
    bob.tell(Answer("bob-in-1", b"answer"))
    network.run()
    assert [getattr(s, "code", None) for s in bob.signals if isinstance(s, Ended)] == [504]
    assert alice.kinds() == ["Rang", "Failed"]
    assert not any(bob.agent.sizes.values())
    bob.tell(Refuse("bob-in-1", 486))


def test_other_hosts_are_tried_when_one_is_not_available() -> None:
    network = Network()
    alice, first, second = network.phone("alice"), network.peer(), network.peer("192.0.2.201")
    flows = tuple(Flow("udp", alice.address, peer.address) for peer in (first, second))
    network.find = lambda uri: flows
    alice.tell(Invite("a", "sip:x@two.example", CALLER, b"offer"))
    network.run(0.1)
    first.answer(first.requests("INVITE")[0], 503)
    network.run(0.1)
    invite = second.requests("INVITE")[0]
    assert invite.cseq.number == 2
    second.answer(invite, 486)
    network.run()
    assert [s.code for s in alice.signals if isinstance(s, Failed)] == [486]
    assert not any(alice.agent.sizes.values())


def test_a_connection_that_was_lost_is_made_anew() -> None:
    stage = Stage()
    stage.answer(stage.invite(), 200)
    stage.network.sees = lambda flow, data: False
    stage.alice.tell(Offer("a", b"again"))
    stage.network.sees = lambda flow, data: True
    flow = Flow("udp", stage.alice.address, stage.peer.address)
    stage.alice.agent.connection_lost(flow, stage.network.now)
    stage.network.drain(stage.alice)
    stage.network.run(0.1)
    stage.answer(stage.last("INVITE"), 200)
    assert stage.alice.kinds() == ["Answered", "Agreed"]
    stage.finish()
