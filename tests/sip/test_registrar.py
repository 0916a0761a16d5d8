"""Bindings of softphones, as REGISTER makes them."""

import pytest

from tertulia.model.ids import ApplicationId
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import Request
from tertulia.protocols.sip.parser import parse
from tertulia.sip.registrar import CONTACTS_MAX, Outcome, Owner, Registrar

ALICE = Owner(ApplicationId("application-1"), "alice")
BOB = Owner(ApplicationId("application-1"), "bob")
FLOW = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 40000))
OTHER = Flow("tcp", ("127.0.0.1", 5060), ("127.0.0.1", 40002), 7)


def register(
    *contacts: str, expires: str | None = None, call: str = "call-1", cseq: int = 1
) -> Request:
    head = [
        "REGISTER sip:127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP a.test;branch=z9hG4bK1",
        "From: <sip:alice@a.test>;tag=1", "To: <sip:alice@a.test>", f"Call-ID: {call}",
        f"CSeq: {cseq} REGISTER", *(f"Contact: {each}" for each in contacts),
        *([f"Expires: {expires}"] if expires is not None else []), "", "",
    ]  # fmt: skip
    message = parse("\r\n".join(head).encode())
    assert isinstance(message, Request)
    return message


class Desk:
    def __init__(self) -> None:
        self.registrar = Registrar()
        self.now = 1000.0

    def take(self, request: Request, flow: Flow = FLOW, owner: Owner = ALICE) -> Outcome:
        return self.registrar.register(owner, request, flow, self.now)

    def uris(self, owner: Owner = ALICE) -> list[str]:
        return [str(each.uri) for each in self.registrar.bindings(owner, self.now)]


def listed(outcome: Outcome) -> list[str]:
    assert outcome.code == 200
    return [value for name, value in outcome.headers if name == "Contact"]


def test_a_contact_is_bound_for_as_long_as_it_asks() -> None:
    desk = Desk()
    outcome = desk.take(register("<sip:alice@9.9.9.9:5070>;expires=120"))
    assert listed(outcome) == ["<sip:alice@9.9.9.9:5070>;expires=120"]
    desk.now += 119
    assert desk.uris() == ["sip:alice@9.9.9.9:5070"]
    assert desk.registrar.owners(FLOW) == {ALICE}
    desk.now += 2
    assert desk.uris() == []
    assert (len(desk.registrar), desk.registrar.owners(FLOW)) == (0, set())


@pytest.mark.parametrize(
    ("contact", "expires", "granted"),
    [("<sip:a@b>", "90", 90), ("<sip:a@b>;expires=70", "90", 70), ("<sip:a@b>", None, 3600),
     ("<sip:a@b>", "86400", 3600), ("<sip:a@b>;expires=what", None, 3600)],
)  # fmt: skip
def test_how_long_is_said_by_the_contact_or_the_message(
    contact: str, expires: str | None, granted: int
) -> None:
    assert listed(Desk().take(register(contact, expires=expires))) == [
        f"<sip:a@b>;expires={granted}"
    ]


def test_too_short_a_time_is_refused() -> None:
    outcome = Desk().take(register("<sip:a@b>", expires="59"))
    assert (outcome.code, outcome.headers) == (423, (("Min-Expires", "60"),))


def test_several_contacts_are_listed_the_most_wanted_first() -> None:
    desk = Desk()
    desk.take(register("<sip:a@b>;q=0.2"), OTHER)
    desk.take(register("<sip:a@c>;q=0.7", call="call-2"))
    assert desk.uris() == ["sip:a@c", "sip:a@b"]
    assert len(listed(desk.take(register(cseq=9)))) == 2


def test_a_contact_takes_the_place_of_the_same_one() -> None:
    desk = Desk()
    desk.take(register("<sip:a@b;x=1>"))
    desk.take(register("<sip:a@B;x=1>", cseq=2), OTHER)
    (binding,) = desk.registrar.bindings(ALICE, desk.now)
    assert binding.flow == OTHER


def test_what_comes_late_changes_nothing() -> None:
    desk = Desk()
    desk.take(register("<sip:a@b>", cseq=5))
    for late in (register("<sip:a@b>", cseq=5, expires="0"), register("*", expires="0", cseq=4)):
        assert desk.take(late).code == 500
    assert desk.uris() == ["sip:a@b"]


def test_contacts_are_taken_back_one_or_all() -> None:
    desk = Desk()
    desk.take(register("<sip:a@b>", "<sip:a@c>"))
    assert listed(desk.take(register("<sip:a@b>;expires=0", cseq=2)))[0].startswith("<sip:a@c>")
    assert listed(desk.take(register("*", expires="0", cseq=3))) == []
    assert len(desk.registrar) == 0


@pytest.mark.parametrize("expires", [None, "1", "60"])
def test_a_star_takes_all_back_and_nothing_else(expires: str | None) -> None:
    assert Desk().take(register("*", expires=expires)).code == 400


@pytest.mark.parametrize("contact", ["<mailto:a@b>", "<tel:123>"])
def test_a_contact_has_to_be_a_sip_uri(contact: str) -> None:
    desk = Desk()
    assert desk.take(register(contact)).code == 400
    assert len(desk.registrar) == 0


def test_users_do_not_mix() -> None:
    desk = Desk()
    desk.take(register("<sip:a@b>"))
    desk.take(register("<sip:a@c>"), owner=BOB)
    assert (desk.uris(), desk.uris(BOB)) == (["sip:a@b"], ["sip:a@c"])
    assert desk.registrar.owners(FLOW) == {ALICE, BOB}


def test_what_came_by_a_connection_goes_with_it() -> None:
    desk = Desk()
    desk.take(register("<sip:a@b>"), OTHER)
    desk.take(register("<sip:a@c>", call="call-2"))
    desk.registrar.lost(OTHER)
    desk.registrar.lost(OTHER)
    assert desk.uris() == ["sip:a@c"]
    assert list(desk.registrar.flows()) == [FLOW]


def test_a_user_has_so_many_contacts_and_no_more() -> None:
    desk = Desk()
    for number in range(CONTACTS_MAX + 3):
        desk.now += 1
        desk.take(register(f"<sip:a@b:{5000 + number}>", call=f"call-{number}"))
    assert len(desk.uris()) == CONTACTS_MAX
    assert "sip:a@b:5000" not in desk.uris()


def test_expired_bindings_are_forgotten() -> None:
    desk = Desk()
    desk.take(register("<sip:a@b>", expires="60"))
    desk.now += 61
    desk.registrar.expire(desk.now)
    assert (len(desk.registrar), list(desk.registrar.flows())) == (0, [])
