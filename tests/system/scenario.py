"""Scenarios for sipp in few words: what a phone sends and what it expects, one after the other.

`[ear]` is the port at which it hears, `[caller]` the user part by which it is known; both are given
to sipp as keywords, see sipp_party.
"""

from xml.sax.saxutils import quoteattr

HOLDS, HELD = "sendonly", "inactive"
OWN = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>"
GO = "MESSAGE"
"""Comes from the test, when the scenario is to go on."""
_STASHED = {"via": "Via", "from": "From", "to": "To", "cseq": "CSeq"}


def offer(port: str = "[ear]", direction: str = "sendrecv", types: str = "0 101") -> str:
    return (
        "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n"
        f"m=audio {port} RTP/AVP {types}\na=rtpmap:101 telephone-event/8000\na={direction}\n"
    )


SPEAKING = offer("[rtpstream_audio_port]")
"""Of a phone that speaks: its sound comes from that port."""


def scenario(*steps: str) -> str:
    """What sipp reads."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario>\n{"".join(steps)}</scenario>\n'


def send(
    method: str, number: int = 1, body: str = "", *fields: str, uri: str = "[next_url]",
    is_first: bool = False, branch: str = "",
) -> str:  # fmt: skip
    """A request of who calls; `number` is that of CSeq. The first one is in no dialog yet."""
    tag = "" if is_first else "[peer_tag_param]"
    lines = [
        f"{method} {uri} SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port]"
        f";branch=z9hG4bK-[pid]-[call_number]-{branch or number}",
        "From: <sip:[caller]@[local_ip]>;tag=[pid]-[call_number]",
        f"To: <sip:[service]@[remote_ip]>{tag}",
        "Call-ID: [call_id]", f"CSeq: {number} {method}",
        "Contact: <sip:[caller]@[local_ip]:[local_port];transport=[transport]>",
        "Max-Forwards: 70", *fields,
    ]  # fmt: skip
    return _sent(lines, body, is_repeated=method != "ACK")


def invite(body: str | None = None, *fields: str, number: int = 1) -> str:
    """The beginning of a call; with an empty body the other end is to offer."""
    return send(
        "INVITE", number, offer() if body is None else body, "X-Test: of mine", *fields,
        uri="sip:[service]@[remote_ip]:[remote_port]", is_first=True,
    )  # fmt: skip


def again(body: str, number: int) -> str:
    """re-INVITE."""
    return send("INVITE", number, body)


def ack(number: int = 1, body: str = "") -> str:
    """Of a 2xx: a transaction of its own."""
    return send("ACK", number, body, branch=f"{number}-ack")


def give_up(number: int = 1) -> str:
    """CANCEL and what follows it."""
    first = "sip:[service]@[remote_ip]:[remote_port]"
    return "".join(
        (
            send("CANCEL", number, uri=first, is_first=True),
            get(200), get(487), send("ACK", number, uri=first),
        )
    )  # fmt: skip


def declined(code: int, number: int = 1) -> str:
    """A final answer that is no success, and its ACK."""
    first = "sip:[service]@[remote_ip]:[remote_port]"
    return ringing() + get(code) + send("ACK", number, uri=first)


def challenged(body: str | None = None, *fields: str) -> str:
    """A call that has to say who it is, and does."""
    first = "sip:[service]@[remote_ip]:[remote_port]"
    return "".join(
        (
            invite(body, *fields), ringing(), get(401, auth=True), send("ACK", 1, uri=first),
            invite(body, "[authentication]", *fields, number=2),
        )
    )  # fmt: skip


def bye(number: int = 2) -> str:
    return send("BYE", number) + get(200)


def get(code: int, *, auth: bool = False, optional: bool = False) -> str:
    """A response."""
    return _line("recv", response=str(code), auth=auth, optional=optional, rrs=100 < code < 300)


def ringing(*codes: int) -> str:
    """Provisional responses, if they come."""
    return "".join(get(code, optional=True) for code in (100, *(codes or (180, 183))))


def answered(number: int = 1, body: str = "") -> str:
    return ringing() + get(200) + ack(number, body)


def acknowledge_ringing() -> str:
    """A provisional response that is reliable, and PRACK (RFC 3262)."""
    kept = _line("ereg", regexp="[0-9]+", search_in="hdr", header="RSeq:", assign_to="rseq")
    first = f'<recv response="180" rrs="true"><action>{kept}</action></recv>\n'
    return first + send("PRACK", 2, "", "RAck: [$rseq] 1 INVITE") + get(200)


def notified(*codes: int) -> str:
    """What becomes of a transfer, by NOTIFY; a code that is not told fails the call."""
    return "".join(
        '<recv request="NOTIFY"><action>'
        + _line("ereg", regexp=f"SIP/2.0 {code}", search_in="msg", check_it=True, assign_to=f"c{n}")
        + f'</action></recv>\n<Reference variables="c{n}" />\n'
        + respond(200)
        for n, code in enumerate(codes)
    )


def come(method: str, *, optional: bool = False) -> str:
    """A request from the other end."""
    return _line("recv", request=method, optional=optional)


def hung_up() -> str:
    """BYE from the other end."""
    return come("BYE") + respond(200)


def linger() -> str:
    """Answer what is repeated for a while."""
    return _line("timewait", milliseconds="4000")


def wait(milliseconds: int) -> str:
    return _line("pause", milliseconds=str(milliseconds))


def until_told() -> str:
    """Wait for the test."""
    return come(GO)


def speak(file: str = "tone.ulaw") -> str:
    """A file of µ-law, over and over."""
    stream = _line("exec", rtp_stream=f"{file},-1,0")
    return f"<nop><action>{stream}</action></nop>\n"


# ── of who is called ──


def invited(*actions: str) -> str:
    """A call comes; what its answers need is kept, whatever comes meanwhile."""
    kept = "".join(
        _line("ereg", regexp=".*", search_in="hdr", header=f"{header}:", assign_to=name)
        for name, header in _STASHED.items()
    )
    return (
        f'<recv request="INVITE" rrs="true"><action>{kept}{"".join(actions)}</action></recv>\n'
        f'<Reference variables="{",".join(_STASHED)}" />\n'
    )


def shows(name: str, password: str) -> str:
    """It comes again, and says who it is."""
    check = _line("verifyauth", assign_to="known", username=name, password=password)
    wrong = _line("error", message="the password is wrong")
    return (
        f'{invited(check)}<nop test="known" next="known" />\n'
        f'<nop><action>{wrong}</action></nop>\n<label id="known" />\n'
    )


def answer(code: int, body: str = "", *fields: str) -> str:
    """To what came first."""
    lines = [
        f"SIP/2.0 {code} Test", "Via:[$via]", "From:[$from]",
        "To:[$to]" + ("" if code == 100 else ";tag=[pid]-[call_number]"),
        "Call-ID: [call_id]", "CSeq:[$cseq]", *(fields if _has_contact(fields) else (OWN, *fields)),
    ]  # fmt: skip
    return _sent(lines, body, is_repeated=code >= 200)


def respond(code: int, body: str = "", *fields: str) -> str:
    """To what came last."""
    lines = [
        f"SIP/2.0 {code} Test", "[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]",
        "[last_CSeq:]", OWN, *fields,
    ]  # fmt: skip
    return _sent(lines, body, is_repeated=False)


def ask(method: str, number: int = 1, body: str = "", *fields: str) -> str:
    """A request of who was called, in the dialog."""
    lines = [
        f"{method} [next_url] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port]"
        f";branch=z9hG4bK-[pid]-[call_number]-{method}-{number}",
        "From:[$to];tag=[pid]-[call_number]", "To:[$from]", "Call-ID: [call_id]",
        f"CSeq: {number} {method}", "Max-Forwards: 70", OWN, *fields,
    ]  # fmt: skip
    return _sent(lines, body, is_repeated=method != "ACK")


def _has_contact(fields: tuple[str, ...]) -> bool:
    return any(each.startswith("Contact:") for each in fields)


def _sent(lines: list[str], body: str, *, is_repeated: bool) -> str:
    if body and not any(line.startswith("Content-Type") for line in lines):
        lines = [*lines, "Content-Type: application/sdp"]
    text = "\n".join([*lines, "Content-Length: [len]", "", body])
    repeats = ' retrans="500"' if is_repeated else ""
    return f"<send{repeats}><![CDATA[\n{text}\n]]></send>\n"


def _line(name: str, **attributes: str | bool) -> str:
    told = {key: "true" if value is True else value for key, value in attributes.items() if value}
    return f"<{name} {' '.join(f'{key}={quoteattr(str(each))}' for key, each in told.items())} />\n"
