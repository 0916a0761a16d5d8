"""Softphones: who they are, how they are called, and what strangers get."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from tests.contracts.carrier import ANSWER, HERE, OFFER, OURS
from tests.sip.far import HOST, SipFar
from tests.sip.floor import PASSWORD, Floor, floor
from tests.sip.sockets import secrecy, until

from tertulia.model.state import Endpoint
from tertulia.model.telephone import Accepted, Called, Declined, HungUp, Rang, Referred
from tertulia.protocols.sip import fields, signals, verbs
from tertulia.protocols.sip.digest import Credentials
from tertulia.sip.strangers import FAILURES

ALICE = Credentials("alice", PASSWORD)
BOB = Credentials("bob", PASSWORD)


class Phones:
    """A carrier and softphones around it."""

    def __init__(self, house: Floor, folder: Path, stack: AsyncExitStack) -> None:
        self.house = house
        self.signals = house.signals
        self._folder = folder
        self._stack = stack

    async def phone(
        self, credentials: Credentials | None = ALICE, transport: str = "udp"
    ) -> SipFar:
        far = await SipFar(transport, credentials).open(secrecy(self._folder))
        carrier = self.house.carrier
        far.peer = (HOST, carrier.tls_port if transport == "tls" else carrier.port)
        self._stack.push_async_callback(far.close)
        return far

    async def registered(self, name: str = "alice", transport: str = "udp") -> SipFar:
        far = await self.phone(Credentials(name, PASSWORD), transport)
        assert (await far.register(name)).code == 200
        return far


@asynccontextmanager
async def phones(folder: Path) -> AsyncIterator[Phones]:
    # The carrier goes first, so that somebody hears it say goodbye.
    async with AsyncExitStack() as stack, floor(secrecy=secrecy(folder)) as house:
        yield Phones(house, folder, stack)


def play(folder: Path, scenario: Callable[[Phones], Awaitable[None]]) -> None:
    async def run() -> None:
        async with phones(folder) as made:
            await scenario(made)

    uvloop.run(run())


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_softphone_registers_and_is_called(tmp_path: Path, transport: str) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.registered(transport=transport)
        assert around.house.figure("registered_contacts") == 1
        around.house.dial_uri("leg", f"sip:alice@{HOST}")
        call = await far.dialled()
        assert (call.sdp, call.caller) == (OFFER, OURS)
        far.answers(call.name, ANSWER)
        assert (await around.signals.next(Accepted)).sdp == ANSWER
        around.house.carrier.hang_up("leg")
        await far.told(call.name, "hang_up")
        assert (await far.register("alice", expires=0)).code == 200
        assert around.house.figure("registered_contacts") == 0

    play(tmp_path, scenario)


def test_a_user_is_called_by_its_name_as_an_extension(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.registered()
        around.house.dial("leg", Endpoint(type="vbc", extension="alice"))
        far.declines((await far.dialled()).name, 486)
        assert (await around.signals.next(Declined)).code == 486

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "to",
    [
        Endpoint(type="vbc", extension="nobody"), Endpoint(type="sip", uri=f"sip:bob@{HOST}"),
    ],
)  # fmt: skip
def test_who_is_not_registered_is_not_there(tmp_path: Path, to: Endpoint) -> None:
    async def scenario(around: Phones) -> None:
        around.house.dial("leg", to)
        assert (await around.signals.next(Declined)).code == 480

    play(tmp_path, scenario)


def test_all_phones_of_a_user_ring_and_the_first_to_answer_has_the_call(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        one, other = await around.registered(), await around.registered(transport="tcp")
        around.house.dial_uri("leg", f"sip:alice@{HOST}")
        first, second = await one.dialled(), await other.dialled()
        one.rings(first.name)
        other.rings(second.name)
        await around.signals.next(Rang)
        other.answers(second.name, ANSWER)
        await around.signals.next(Accepted)
        await one.told(first.name, "hang_up")
        other.hangs_up(second.name)
        await around.signals.next(HungUp)
        assert around.signals.kinds("leg") == ["Rang", "Accepted", "HungUp"]

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("codes", "says"),
    [((486, 480), 480), ((503, 486), 486), ((480, 603), 603)],
)
def test_when_all_phones_decline_the_most_telling_answer_counts(
    tmp_path: Path, codes: tuple[int, int], says: int
) -> None:
    async def scenario(around: Phones) -> None:
        phones = [await around.registered(), await around.registered(transport="tcp")]
        around.house.dial_uri("leg", f"sip:alice@{HOST}")
        for phone, code in zip(phones, codes, strict=True):
            phone.declines((await phone.dialled()).name, code)
        assert (await around.signals.next(Declined)).code == says
        assert around.signals.kinds("leg") == ["Declined"]

    play(tmp_path, scenario)


def test_a_decline_for_everywhere_ends_the_ringing_elsewhere(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        one, other = await around.registered(), await around.registered(transport="tcp")
        around.house.dial_uri("leg", f"sip:alice@{HOST}")
        first, second = await one.dialled(), await other.dialled()
        one.declines(first.name, 603)
        assert (await around.signals.next(Declined)).code == 603
        await other.told(second.name, "hang_up")

    play(tmp_path, scenario)


def test_all_phones_stop_when_the_caller_gives_up(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        one, other = await around.registered(), await around.registered(transport="tcp")
        around.house.dial_uri("leg", f"sip:alice@{HOST}")
        calls = [await one.dialled(), await other.dialled()]
        for phone, call in zip((one, other), calls, strict=True):
            phone.rings(call.name)
        await around.signals.next(Rang)
        around.house.carrier.hang_up("leg")
        for phone, call in zip((one, other), calls, strict=True):
            await phone.told(call.name, "hang_up")

    play(tmp_path, scenario)


def test_a_phone_whose_connection_is_gone_is_not_there(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.registered(transport="tcp")
        await far.close()
        await until(lambda: around.house.figure("registered_contacts") == 0)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("dialled", "to"),
    [
        (OURS, Endpoint(type="phone", number=OURS)),
        ("+15550107", Endpoint(type="phone", number="15550107")),
        ("bob", Endpoint(type="app", user="bob")),
    ],
)
def test_a_softphone_calls_as_its_user(tmp_path: Path, dialled: str, to: Endpoint) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.phone()
        name = far.invite(dialled, OFFER, {"X-A": "b"}, f"sip:alice@{HOST}")
        called = await around.signals.next(Called)
        assert (called.application_id, called.user_id, called.trunk) == (HERE, "USR-alice", "")
        assert (called.to, called.sdp, called.headers) == (to, OFFER, {"X-A": "b"})
        assert called.from_ == Endpoint(type="sip", uri=f"sip:alice@{HOST}")
        around.house.carrier.answer(called.leg, ANSWER)
        assert (await far.told(name, "answer"))[0] == ANSWER

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "credentials",
    [None, Credentials("alice", "wrong"), Credentials("bob", PASSWORD), Credentials("x", "y")],
)
@pytest.mark.parametrize("caller", ["alice", "nobody", ""])
def test_strangers_call_nobody_and_learn_nothing(
    tmp_path: Path, credentials: Credentials | None, caller: str
) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.phone(credentials)
        name = far.invite("15550107", OFFER, None, f"sip:{caller or 'x'}@{HOST}")
        assert (await far.told(name, "refuse"))[1] == 401
        assert around.signals.all == []

    play(tmp_path, scenario)


def test_unknown_and_known_users_are_answered_alike(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        seen = []
        for name in ("alice", "nobody"):
            far = await around.phone(Credentials(name, "guess"))
            reply = await far.register(name)
            assert reply.message is not None
            seen.append((reply.code, reply.text, [key for key, _ in reply.message.headers.items()]))
        assert seen[0] == seen[1]
        assert seen[0][0] == 401

    play(tmp_path, scenario)


def test_nobody_registers_for_somebody_else(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.phone(BOB)
        assert (await far.register("alice")).code == 401
        assert around.house.figure("registered_contacts") == 0

    play(tmp_path, scenario)


def test_challenges_come_with_both_algorithms(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        reply = await (await around.phone(None)).register("alice")
        assert reply.message is not None
        challenges = reply.message.headers.all("WWW-Authenticate")
        assert ["SHA-256" in each for each in challenges] == [True, False]
        assert "MD5" in challenges[1]

    play(tmp_path, scenario)


def test_who_guesses_is_not_answered_any_more(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        friend = await around.registered("bob")
        far = await around.phone(Credentials("alice", "guess"))
        for _ in range(FAILURES):
            assert (await far.register("alice")).code == 401
        far.shell.tell(verbs.Ask("more", "REGISTER", far.uri(None), f"sip:alice@{HOST}"))
        await until(lambda: around.house.figure("locked_out_total") > 0)
        assert around.house.figure("lock_outs_total") == 1
        assert (await friend.register("bob")).code == 200

    play(tmp_path, scenario)


def test_other_questions_are_refused(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.phone()
        for method in ("MESSAGE", "SUBSCRIBE", "PUBLISH"):
            far.shell.tell(verbs.Ask(method, method, far.uri("bob"), f"sip:alice@{HOST}"))
            reply = await far.wait(lambda each: isinstance(each, signals.Replied))
            assert isinstance(reply, signals.Replied)
            assert reply.code in (405, 489, 501)

    play(tmp_path, scenario)


def test_an_attended_transfer_names_the_leg_that_is_taken_over(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.phone()
        caller = f"sip:alice@{HOST}"
        names, legs = [], []
        for index in range(2):
            names.append(far.invite(f"1555012{index}", OFFER, None, caller))
            legs.append((await around.signals.next(Called, count=index + 1)).leg)
            around.house.carrier.answer(legs[-1], ANSWER)
            await far.told(names[-1], "answer")
        far.shell.tell(verbs.Refer(names[0], far.uri("15550121"), replaces=names[1]))
        referred = await around.signals.next(Referred)
        assert (referred.leg, referred.replaces) == (legs[0], legs[1])
        assert referred.to == Endpoint(type="phone", number="15550121")
        around.house.carrier.referred(legs[0], 200)
        assert (await far.told(names[0], "referred"))[1] == 200

    play(tmp_path, scenario)


def test_one_who_is_called_may_transfer_to_a_user(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.registered()
        around.house.dial_uri("leg", f"sip:alice@{HOST}")
        call = await far.dialled()
        far.answers(call.name, ANSWER)
        await around.signals.next(Accepted)
        far.shell.tell(verbs.Refer(call.name, far.uri("bob")))
        assert (await around.signals.next(Referred)).to == Endpoint(type="app", user="bob")

    play(tmp_path, scenario)


def test_a_registration_says_how_long_it_lasts(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        far = await around.phone()
        reply = await far.register("alice", expires=30)
        assert reply.code == 200
        assert reply.message is not None
        (contact,) = reply.message.headers.read_all(fields.CONTACT)
        assert contact.expires == 60

    play(tmp_path, scenario)


def test_many_register_at_once(tmp_path: Path) -> None:
    async def scenario(around: Phones) -> None:
        phones = [await around.phone(transport="tcp") for _ in range(8)]
        replies = await asyncio.gather(*(each.register("alice") for each in phones))
        assert [each.code for each in replies] == [200] * 8
        assert around.house.figure("registered_contacts") == 8

    play(tmp_path, scenario)
