"""The 49 messages of RFC 4475, each treated as the RFC asks of a user agent.

Where the RFC leaves a choice (refuse, or understand what can only be meant), the choice is in the
table.
"""

from collections.abc import Callable

import pytest
from tests.protocols.sip.messages import TORTURE, request, response, torture

from tertulia.protocols.sip.agent import Agent
from tertulia.protocols.sip.fields import (
    BRANCH_COOKIE,
    CONTENT_TYPE,
    EXPIRES,
    MAX_FORWARDS,
    ROUTE,
    VIA,
)
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.gatekeeper import Gatekeeper, Verdict
from tertulia.protocols.sip.message import BadMessage, Request, Response, respond
from tertulia.protocols.sip.parser import parse
from tertulia.protocols.sip.signals import Asked, Invited, Send
from tertulia.protocols.sip.uri import parse_uri

FLOW = Flow("udp", ("192.0.2.200", 5060), ("192.0.2.201", 5060))


def wsinv(message: Request) -> None:
    assert message.to.uri == parse_uri("sip:vivekg@chair-dnrc.example.com")
    assert message.to.tag == "1918181833n"
    assert message.from_.display == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.headers.read(MAX_FORWARDS) == 68
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert [(via.transport, via.host) for via in message.headers.read_all(VIA)] == [
        ("UDP", "192.0.2.2"),
        ("TCP", "spindle.example.com"),
        ("UDP", "192.168.255.111"),
    ]
    assert [via.branch for via in message.headers.read_all(VIA)] == [
        "390skdjuw",
        "z9hG4bK9ikj8",
        "z9hG4bK30239",
    ]
    assert message.headers.get("subject") == ""
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.headers.get("unknownheaderwithunusualvalue") == ";;,,;;,;"
    (route,) = message.headers.read_all(ROUTE)
    assert route.uri.params == {"lr": None, "unknownwith": "value", "unknown-no-value": None}
    (contact,) = message.contacts
    assert contact.display == 'Quoted string ""'
    assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert (contact.q, len(message.body)) == (0.33, 150)


def intmeth(message: Request) -> None:
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display == "token1~` token2'+_ token3*%!.-"
    assert message.from_.param("fromParam''~+*_!.-%") == "работающий"
    assert message.from_.tag == "_token~1'+`*%!-."
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert message.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def esc01(message: Request) -> None:
    assert message.uri.user == "sips:user@example.com"
    assert message.to.uri.user == "user"
    assert message.to.uri.matches(parse_uri("sip:user@example.com"))
    assert message.from_.uri.user == "I have spaces"
    (contact,) = message.contacts
    assert contact.uri.user == "caller"
    assert contact.uri.params == {"%6c%72": None, "n%61me": "v%61lue%25%34%31"}
    assert contact.uri.param("n%61me") == "value%41"


def escnull(message: Request) -> None:
    first, second = message.contacts
    assert (first.uri.user, second.uri.user) == ("\0", "\0\0")
    assert not first.uri.matches(second.uri)
    assert message.to.uri.user == "null-\0-null"


def esc02(message: Request) -> None:
    assert message.method == "RE%47IST%45R"
    assert message.to.display == "%Z%45"
    assert [contact.uri.user for contact in message.contacts] == ["alias1", "alias3"]
    assert message.headers.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def longreq(message: Request) -> None:
    assert len(message.headers.read_all(VIA)) == 34
    assert message.to.display == "I have a user name of " + "extreme" * 10 + " proportion"
    assert message.to.uri.port == 6000
    assert message.from_.tag == "12" + "982" * 50 + "424"
    assert len(message.body) == 150


def dblreq(message: Request) -> None:
    assert (message.method, message.body) == ("REGISTER", b"")


def semiuri(message: Request) -> None:
    assert message.uri.user == "user;par=u@example.net"
    assert (message.uri.host, message.uri.params) == ("example.com", {})


def transports(message: Request) -> None:
    assert [via.transport for via in message.headers.read_all(VIA)] == [
        *("UDP", "SCTP", "TLS", "UNKNOWN", "TCP")
    ]


def mpart01(message: Request) -> None:
    kind = message.headers.read(CONTENT_TYPE)
    assert kind is not None and kind.param("boundary") == "7a9cbec02ceef655"
    assert len(message.body) == 553
    assert message.body.count(b"--7a9cbec02ceef655") == 3
    assert b"\x00" in message.body


def baddate(message: Request) -> None:
    assert message.headers.get("Date") == "Fri, 01 Jan 2010 16:00:00 EST"


def badbranch(message: Request) -> None:
    assert message.via.branch == BRANCH_COOKIE


def unksm2(message: Request) -> None:
    assert (message.to.uri.scheme, message.to.uri.opaque) == ("isbn", "2983792873")
    assert message.from_.uri.scheme == "http"
    assert not message.contacts[0].uri.is_sip


def regaut01(message: Request) -> None:
    """A scheme nobody knows counts as no credentials: a registrar challenges with 401."""
    given = message.headers.all("Authorization")
    checked = Gatekeeper("example.com", b"secret").check(given, "REGISTER", lambda _: None, 0.0)
    assert (len(given), checked.verdict) == (1, Verdict.MISSING)


def zeromf(message: Request) -> None:
    """Who is meant by the request answers it: none but a proxy refuses it with 483."""
    assert message.headers.read(MAX_FORWARDS) == 0


def cparam01(message: Request) -> None:
    (contact,) = message.contacts
    assert contact.params == {"unknownparam": None}
    assert contact.uri.params == {}


def cparam02(message: Request) -> None:
    (contact,) = message.contacts
    assert contact.params == {}
    assert contact.uri.params == {"unknownparam": None}


def regescrt(message: Request) -> None:
    assert message.contacts[0].uri.header("route") == "<sip:sip.example.com>"


def inv2543(message: Request) -> None:
    assert (message.via.branch, message.from_.tag, message.to.tag) == ("", "", "")
    assert message.to.params == {"user": "phone"}
    assert message.headers.get("Content-Length") is None
    assert message.body.endswith(b"RTP/AVP 0\r\n")


def spaced(message: Request) -> None:
    assert (message.method, message.target) == ("INVITE", "sip:user@example.com")


def trimmed(message: Request) -> None:
    assert message.target == "sip:remote-target@example.com"


def bare(message: Request) -> None:
    assert message.from_.display in ("caller", "A. Bell", "Bell, Alexander")


def spaced_address(message: Request) -> None:
    assert message.to.display == "Watson, Thomas"
    assert str(message.to.uri) == "sip:t.watson@example.org"


ACCEPTED: dict[str, Callable[[Request], None]] = {
    "wsinv": wsinv,
    "intmeth": intmeth,
    "esc01": esc01,
    "escnull": escnull,
    "esc02": esc02,
    "lwsdisp": bare,
    "longreq": longreq,
    "dblreq": dblreq,
    "semiuri": semiuri,
    "transports": transports,
    "mpart01": mpart01,
    "lwsstart": spaced,
    "trws": trimmed,
    "baddate": baddate,
    "badaspec": spaced_address,
    "badbranch": badbranch,
    "unksm2": unksm2,
    "regaut01": regaut01,
    "zeromf": zeromf,
    "cparam01": cparam01,
    "cparam02": cparam02,
    "regescrt": regescrt,
    "inv2543": inv2543,
}
"""Valid, or harmless: the lenient reading of sections 3.1.2.10 to 3.1.2.14."""

REFUSED = {
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "escruri": 400,
    "regbadct": 400,
    "baddn": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 400,
    "insuf": 400,
    "multi01": 400,
    "mcl01": 400,
}
"""By the parser, with an answer. `baddn` lacks its blank line in the RFC's archive."""

ANSWERED: dict[str, tuple[int, tuple[str, ...]]] = {
    **dict.fromkeys(
        ("lwsdisp", "semiuri", "transports", "trws", "badaspec", "badbranch", "zeromf"), (200, ())
    ),
    "inv2543": (400, ()),
    "mpart01": (405, ()),
    "sdp01": (406, ("Accept: application/sdp",)),
    "invut": (415, ("Accept: application/sdp",)),
    "unkscm": (416, ()),
    "novelsc": (416, ()),
    "bext01": (
        420,
        ("Unsupported: nothingSupportsThis", "Unsupported: nothingSupportsThisEither"),
    ),
    "wsinv": (481, ()),
    "intmeth": (501, ()),
    "esc02": (501, ()),
}
"""By the user agent itself: the status, and fields that go with it. `wsinv` has a tag in To and
belongs to no dialog of ours; `inv2543` has no Contact, which no caller since RFC 3261 lacks."""

INVITED = ("esc01", "longreq", "lwsstart", "baddate")
ASKED = ("escnull", "dblreq", "unksm2", "regaut01", "cparam01", "cparam02", "regescrt")
"""REGISTER: up to the registrar."""

DROPPED = ("scalarlg", "bigcode")
RESPONSES = {"unreason": 200, "noreason": 100, "bcast": 200}


def test_every_message_is_in_the_tables() -> None:
    requests = {*ANSWERED, *INVITED, *ASKED}
    assert requests >= ACCEPTED.keys()
    named = {*requests, *REFUSED, *DROPPED, *RESPONSES}
    assert named == {path.stem for path in TORTURE.glob("*.dat")}
    assert len(named) == 49


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted(name: str) -> None:
    message = request(torture(name))
    ACCEPTED[name](message)
    again = request(message.encode())
    ACCEPTED[name](again)
    assert again.encode() == message.encode()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(torture(name))
    asked = caught.value.request
    assert caught.value.status == REFUSED[name]
    assert asked is not None
    asked.stamp("192.0.2.200", 5060)
    answer = respond(asked, caught.value.status, caught.value.reason, tag="ours")
    head = answer.encode().split(b"\r\n")
    assert head[0] == f"SIP/2.0 {REFUSED[name]} {caught.value.reason}".encode()
    for field in ("From", "To", "Call-ID", "CSeq"):
        assert answer.headers.count(field) == min(asked.headers.count(field), 1)


@pytest.mark.parametrize("name", DROPPED)
def test_what_is_dropped(name: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(torture(name))
    assert caught.value.request is None


def treated(name: str) -> tuple[list[Response], list[str]]:
    """What a user agent answers, and of which signals it tells its owner."""
    agent = Agent(lambda size: b"x" * size, lambda: "call", lambda call, realm: None)
    agent.receive(parse(torture(name)), FLOW, 1.0)
    outputs = agent.take()
    answers = [response(output.data) for output in outputs if isinstance(output, Send)]
    signals = [type(each).__name__ for each in outputs if isinstance(each, Asked | Invited)]
    return answers, signals


@pytest.mark.parametrize("name", ANSWERED)
def test_what_a_user_agent_answers(name: str) -> None:
    status, lines = ANSWERED[name]
    (answer,), signals = treated(name)
    assert (answer.status, signals) == (status, [])
    assert set(lines) <= set(answer.headers.lines())


@pytest.mark.parametrize("name", INVITED)
def test_what_invites(name: str) -> None:
    (trying,), signals = treated(name)
    assert (trying.status, signals) == (100, ["Invited"])


@pytest.mark.parametrize("name", ASKED)
def test_what_is_for_the_registrar(name: str) -> None:
    assert treated(name) == ([], ["Asked"])


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_to_nothing_are_dropped(name: str) -> None:
    assert treated(name) == ([], [])


@pytest.mark.parametrize("name", RESPONSES)
def test_responses(name: str) -> None:
    message = response(torture(name))
    assert message.status == RESPONSES[name]
    assert message.encode() == torture(name)


def test_what_the_responses_say() -> None:
    assert response(torture("unreason")).reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert response(torture("noreason")).reason == ""
    stray = response(torture("bcast"))
    assert [via.host for via in stray.headers.read_all(VIA)] == ["192.0.2.198", "255.255.255.255"]


def test_names_with_a_comma_are_understood_when_the_message_is_whole() -> None:
    message = request(torture("baddn") + b"\r\n")
    bare(message)
    assert message.to.display == "Watson, Thomas"


def test_times_that_are_too_long_are_not_there() -> None:
    data = torture("scalar02").replace(b"36893488147419103232", b"1").replace(b": 300", b": 70")
    message = request(data)
    assert message.headers.read(EXPIRES) is None
    assert message.contacts[0].expires == 3600
