"""Trunks: which is called, how much, what comes in by them, and their registrations."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import uvloop
from msgspec.structs import replace
from tests.contracts.carrier import ANSWER, HERE, OFFER, OURS, THEIRS
from tests.sip.far import HOST, SipFar, settings
from tests.sip.floor import LOOPBACK, PASSWORD, Floor, floor
from tests.sip.sockets import until

from tertulia.model.state import Endpoint
from tertulia.model.telephone import Accepted, Called, Declined, Dial, HungUp
from tertulia.protocols.sip import fields, signals, verbs
from tertulia.sip.plan import Caps, Plan, TrunkPlan
from tertulia.sip.sharing import Shared
from tertulia.testing.registrations import SharedBook


class Provider:
    """Far ends, a carrier with trunks to them, and what to close in the end."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def far(self, transport: str = "udp") -> SipFar:
        far = await SipFar(transport).open()
        self._stack.push_async_callback(far.close)
        return far

    async def house(
        self, *trunks: TrunkPlan, plan: Plan | None = None, shared: Shared | None = None
    ) -> Floor:
        return await self._stack.enter_async_context(floor(*trunks, plan=plan, shared=shared))

    async def node(self, to: TrunkPlan, is_ours: Callable[[], bool]) -> Floor:
        """One of several; whether it is the one to register."""
        book = SharedBook("node", {}, asyncio.get_running_loop().time)
        return await self.house(to, shared=Shared(book, lambda _: is_ours()))


def play(scenario: Callable[[Provider], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            await scenario(Provider(stack))

    uvloop.run(run())


def trunk(far: SipFar, name: str = "trunk", **further: object) -> TrunkPlan:
    plan = TrunkPlan(name=name, host=HOST, port=far.port, transport="udp", from_networks=LOOPBACK)
    return replace(plan, **further)


def aim(far: SipFar, house: Floor) -> None:
    far.peer = (HOST, house.carrier.port)


def test_so_many_calls_at_once_and_no_more() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house(trunk(far, calls=2))
        aim(far, house)
        house.dial_number("first")
        first = await far.dialled()
        name = await far.call(OFFER, {})
        called = await house.signals.next(Called)
        house.dial_number("third")
        assert (await house.signals.next(Declined, "third")).code == 503
        fourth = await far.call(OFFER, {})
        assert (await far.told(fourth, "refuse"))[1] == 503
        assert house.figure("calls_capped_total") == 2
        far.hangs_up(name)
        await house.signals.next(HungUp, called.leg)
        house.dial_number("fifth")
        await far.dialled()
        far.declines(first.name, 486)
        await house.signals.next(Declined, "first")
        house.dial_number("sixth")
        await far.dialled()

    play(scenario)


def test_an_application_has_caps_too_and_callers_are_told_when_to_come_back() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        plan = Plan(trunks=(trunk(far),), numbers={OURS: HERE}, caps={HERE: Caps(1)})
        house = await around.house(plan=plan)
        aim(far, house)
        house.dial_number("first")
        first = await far.dialled()
        name = await far.call(OFFER, {})
        refused = await far.wait(lambda each: isinstance(each, signals.Failed))
        assert isinstance(refused, signals.Failed)
        assert (refused.call, refused.code) == (name, 486)
        assert refused.message is not None
        assert (refused.message.headers.read(fields.RETRY_AFTER) or 0) > 0
        far.answers(first.name, ANSWER)
        await house.signals.next(Accepted)
        house.carrier.hang_up("first")
        house.dial_number("second")
        await far.dialled()
        house.dial_number("third")
        assert (await house.signals.next(Declined, "third")).code == 503

    play(scenario)


def test_so_many_calls_a_second() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house(trunk(far, calls_per_second=2.0))
        for index in range(5):
            house.dial_number(f"leg-{index}")
        await house.signals.next(Declined, count=3)
        assert house.figure("calls") == 2

    play(scenario)


@pytest.mark.parametrize("code", [503, 502, 500])
def test_when_a_trunk_fails_the_next_one_is_called(code: int) -> None:
    async def scenario(around: Provider) -> None:
        one, other = await around.far(), await around.far()
        house = await around.house(trunk(other, "other", order=2), trunk(one, "one", order=1))
        house.dial_number("leg")
        one.declines((await one.dialled()).name, code)
        call = await other.dialled()
        other.answers(call.name, ANSWER)
        await house.signals.next(Accepted)
        assert house.signals.kinds("leg") == ["Accepted"]

    play(scenario)


def test_a_trunk_that_is_not_there_is_passed_over() -> None:
    async def scenario(around: Provider) -> None:
        dead, far = await around.far("tcp"), await around.far()
        house = await around.house(
            trunk(dead, "dead", order=1, transport="tcp"), trunk(far, order=2)
        )
        await dead.close()
        house.dial_number("leg")
        far.declines((await far.dialled()).name, 486)
        assert (await house.signals.next(Declined)).code == 486

    play(scenario)


@pytest.mark.parametrize("code", [486, 404, 403, 603])
def test_an_answer_of_the_callee_is_not_asked_for_twice(code: int) -> None:
    async def scenario(around: Provider) -> None:
        one, other = await around.far(), await around.far()
        house = await around.house(trunk(one, "one"), trunk(other, "other"))
        house.dial_number("leg")
        one.declines((await one.dialled()).name, code)
        assert (await house.signals.next(Declined)).code == code
        assert other.heard == []

    play(scenario)


def test_a_full_trunk_leaves_calls_to_the_next() -> None:
    async def scenario(around: Provider) -> None:
        one, other = await around.far(), await around.far()
        house = await around.house(trunk(one, "one", calls=1), trunk(other, "other"))
        house.dial_number("first")
        await one.dialled()
        house.dial_number("second")
        await other.dialled()

    play(scenario)


@pytest.mark.parametrize(
    ("to", "code"),
    [
        (Endpoint(type="phone", number="15550100"), 404),
        (Endpoint(type="phone", number="not a number"), 484),
        (Endpoint(type="phone"), 484),
        (Endpoint(type="sip", uri="http://a.test"), 484),
        (Endpoint(type="sip", uri="sip:x@[::"), 484),
        (Endpoint(type="sip", uri="sip:x@10.0.0.1"), 503),
        (Endpoint(type="sip", uri="sip:x@169.254.169.254:80;transport=tcp"), 503),
        (Endpoint(type="app", user="x"), 484),
    ],
)
def test_where_no_way_leads_a_call_is_declined(to: Endpoint, code: int) -> None:
    async def scenario(around: Provider) -> None:
        house = await around.house()
        house.dial("leg", to)
        assert (await house.signals.next(Declined)).code == code
        assert house.signals.kinds("leg") == ["Declined"]

    play(scenario)


def test_a_number_is_sent_as_the_trunk_wants_it() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house(trunk(far, strip=1, add="00"))
        house.dial_number("leg", "15550100")
        assert (await far.dialled()).number == "005550100"

    play(scenario)


def test_a_sip_uri_is_called_where_that_is_allowed() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far("tcp")
        house = await around.house(plan=Plan())
        house.dial_uri("leg", f"sip:somebody@{HOST}:{far.port};transport=tcp")
        call = await far.dialled()
        assert call.number == "somebody"
        far.answers(call.name, ANSWER)
        await house.signals.next(Accepted)

    play(scenario)


def test_a_large_invitation_goes_by_tcp_and_by_udp_where_there_is_no_tcp() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house(trunk(far, transport=""))
        large = OFFER + "a=x-padding:" + "x" * 2000 + "\r\n"
        house.carrier.dial(_dial("first", large))
        invited = await far.wait(lambda each: isinstance(each, signals.Invited))
        assert isinstance(invited, signals.Invited)
        assert (invited.flow.transport, invited.body.decode()) == ("tcp", large)
        house.carrier.dial(_dial("second", OFFER))
        small = await far.wait(lambda each: isinstance(each, signals.Invited))
        assert isinstance(small, signals.Invited)
        assert small.flow.transport == "udp"

    play(scenario)


@pytest.mark.parametrize(
    ("headers", "caller", "from_"),
    [
        ({}, f"sip:+{THEIRS}@{HOST}", Endpoint(type="phone", number=THEIRS)),
        ({}, "sip:carol@there.test", Endpoint(type="sip", uri="sip:carol@there.test")),
        ({}, "sip:anonymous@anonymous.invalid", Endpoint(type="phone")),
        ({"Privacy": "id"}, f"sip:{THEIRS}@{HOST}", Endpoint(type="phone")),
        ({"P-Asserted-Identity": "<sip:15550123@a.test>"}, f"sip:{THEIRS}@{HOST}",
         Endpoint(type="phone", number="15550123")),
    ],
)  # fmt: skip
def test_a_trunk_says_who_calls(headers: dict[str, str], caller: str, from_: Endpoint) -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house(trunk(far))
        aim(far, house)
        far.invite(OURS, OFFER, headers, caller)
        assert (await house.signals.next(Called)).from_ == from_

    play(scenario)


def test_numbers_of_nobody_are_not_found_behind_a_trunk() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house(trunk(far))
        aim(far, house)
        name = far.invite("15550177", OFFER)
        assert (await far.told(name, "refuse"))[1] == 404
        assert house.signals.all == []

    play(scenario)


def test_a_trunk_brings_all_numbers_to_its_application() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house(plan=Plan(trunks=(trunk(far, application=HERE),)))
        aim(far, house)
        far.invite("15550177", OFFER)
        called = await house.signals.next(Called)
        assert (called.application_id, called.to.number) == (HERE, "15550177")

    play(scenario)


def test_a_trunk_shows_who_it_is_by_digest() -> None:
    """Both ends are carriers: one challenges, the other answers."""

    async def scenario(around: Provider) -> None:
        provider = await around.house(
            TrunkPlan(name="customer", inbound_username="c1", inbound_password=PASSWORD)
        )
        to = TrunkPlan(
            name="provider", host=HOST, port=provider.carrier.port, transport="udp",
            username="c1", password=PASSWORD,
        )  # fmt: skip
        customer = await around.house(to)
        customer.dial_number("leg", OURS)
        called = await provider.signals.next(Called)
        assert (called.trunk, called.to.number) == ("customer", OURS)
        provider.carrier.answer(called.leg, ANSWER)
        await customer.signals.next(Accepted)
        customer.carrier.hang_up("leg")
        await provider.signals.next(HungUp)
        impostor = await around.house(replace(to, password="wrong"))
        impostor.dial_number("leg", OURS)
        assert (await impostor.signals.next(Declined)).code == 401

    play(scenario)


def test_a_trunk_is_registered_and_calls_come_by_it_until_it_is_taken_back() -> None:
    async def scenario(around: Provider) -> None:
        provider = await around.house()
        to = TrunkPlan(
            name="provider", host=HOST, port=provider.carrier.port, transport="udp",
            username="alice", password=PASSWORD, register=True, application=HERE,
        )  # fmt: skip
        async with floor(to) as customer:
            await until(lambda: customer.figure("registered_trunks") == 1)
            assert provider.figure("registered_contacts") == 1
            provider.dial_uri("leg", f"sip:alice@{HOST}")
            called = await customer.signals.next(Called)
            assert called.trunk == "provider"
            customer.carrier.answer(called.leg, ANSWER)
            await provider.signals.next(Accepted)
        await provider.signals.next(HungUp)
        assert provider.figure("registered_contacts") == 0

    play(scenario)


def test_of_several_nodes_the_one_whose_turn_it_is_registers_a_trunk() -> None:
    async def scenario(around: Provider) -> None:
        provider = await around.house()
        to = TrunkPlan(
            name="provider", host=HOST, port=provider.carrier.port, transport="udp",
            username="alice", password=PASSWORD, register=True, application=HERE,
        )  # fmt: skip
        whose = "a"
        one = await around.node(to, lambda: whose == "a")
        other = await around.node(to, lambda: whose == "b")

        def registered() -> tuple[float, float]:
            return one.figure("registered_trunks"), other.figure("registered_trunks")

        await until(lambda: registered() == (1, 0))
        for whose, expected in (("b", (0, 1)), ("a", (1, 0))):  # noqa: B007
            await until(lambda expected=expected: registered() == expected)  # type: ignore[misc]
            assert provider.figure("registered_contacts") == 1

    play(scenario)


def test_who_leaves_keeps_its_calls_and_gets_no_more() -> None:
    async def scenario(around: Provider) -> None:
        provider, far = await around.house(), await around.far()
        to = TrunkPlan(
            name="provider", host=HOST, port=provider.carrier.port, transport="udp",
            username="alice", password=PASSWORD, register=True, application=HERE,
        )  # fmt: skip
        house = await around.house(to, trunk(far))
        aim(far, house)
        await until(lambda: provider.figure("registered_contacts") == 1)
        name = await far.call(OFFER, {})
        leg = (await house.signals.next(Called)).leg
        house.carrier.leave()
        await until(lambda: provider.figure("registered_contacts") == 0)
        refused = await far.call(OFFER, {})
        assert (await far.told(refused, "refuse"))[1] == 503
        house.carrier.answer(leg, ANSWER)
        await far.told(name, "answer")
        far.hangs_up(name)
        await house.signals.next(HungUp)

    play(scenario)


def test_every_node_registers_a_trunk_that_wants_it() -> None:
    async def scenario(around: Provider) -> None:
        provider = await around.house()
        to = TrunkPlan(
            name="provider", host=HOST, port=provider.carrier.port, transport="udp",
            username="alice", password=PASSWORD, register=True, every_node=True,
        )  # fmt: skip
        for _ in range(2):
            await around.node(to, lambda: False)
        await until(lambda: provider.figure("registered_contacts") == 2)

    play(scenario)


def test_a_registration_that_is_refused_is_no_registration() -> None:
    async def scenario(around: Provider) -> None:
        provider = await around.house()
        to = TrunkPlan(
            name="provider", host=HOST, port=provider.carrier.port, transport="udp",
            username="alice", password="wrong", register=True,
        )  # fmt: skip
        customer = await around.house(to)
        await until(lambda: provider.figure("authentication_failed_total") > 0)
        assert customer.figure("registered_trunks") == 0

    play(scenario)


def test_when_the_carrier_ends_the_other_ends_hear_of_it() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        async with floor(trunk(far)) as house:
            house.dial_number("up")
            call = await far.dialled()
            far.answers(call.name, ANSWER)
            await house.signals.next(Accepted)
            house.dial_number("ringing")
            ringing = await far.dialled()
            far.rings(ringing.name)
        await far.told(call.name, "hang_up")
        await far.told(ringing.name, "hang_up")

    play(scenario)


def test_each_message_of_a_call_is_told_in_its_order() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house(trunk(far))
        aim(far, house)
        name = await far.call(OFFER, {})
        called = await house.signals.next(Called)
        house.carrier.answer(called.leg, ANSWER)
        await far.told(name, "answer")
        far.hangs_up(name)
        await house.signals.next(HungUp)
        lines = [
            f"{'>' if each.sent else '<'} {each.line}"
            for each in house.signals.steps if each.leg == called.leg
        ]  # fmt: skip
        assert [line.partition(" sip:")[0] for line in lines] == [
            "< INVITE", "> SIP/2.0 100 Trying", "> SIP/2.0 200 OK", "< ACK", "< BYE",
            "> SIP/2.0 200 OK",
        ]  # fmt: skip
        assert house.signals.steps[0].peer == f"udp:{HOST}:{far.port}"

    play(scenario)


def test_probes_are_answered_a_few_times() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        house = await around.house()
        aim(far, house)
        for index in range(8):
            far.shell.tell(verbs.Ask(f"q{index}", "OPTIONS", far.uri(None), f"sip:{THEIRS}@{HOST}"))
        await until(lambda: house.figure("rate_limited_total") >= 3)
        assert len([each for each in far.heard if isinstance(each, signals.Replied)]) <= 5

    play(scenario)


def _dial(leg: str, sdp: str) -> Dial:
    return Dial(leg, HERE, Endpoint(type="phone", number=THEIRS), sdp, OURS)


def test_settings_bound_calls() -> None:
    async def scenario(around: Provider) -> None:
        far = await around.far()
        async with floor(trunk(far), wanted=settings(max_calls=1)) as house:
            house.dial_number("first")
            await far.dialled()
            house.dial_number("second")
            assert (await house.signals.next(Declined)).leg == "second"

    play(scenario)
