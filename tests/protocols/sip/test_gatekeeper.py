from collections.abc import Callable
from itertools import count as counting

import pytest
from msgspec.structs import replace

from tertulia.protocols.sip import gatekeeper
from tertulia.protocols.sip.digest import (
    Authorization,
    Credentials,
    answer,
    expected,
    parse_authorization,
    parse_challenge,
    secret_hash,
)
from tertulia.protocols.sip.gatekeeper import Gatekeeper, Verdict

ALICE = Credentials("alice", "wonderland")
SECRET = b"s" * 32
SALT = b"12345678"


def password(username: str) -> str | None:
    return ALICE.password if username == ALICE.username else None


def gate(lifetime: float = 300.0, remembered: int = 100) -> Gatekeeper:
    return Gatekeeper("example.com", SECRET, lifetime=lifetime, remembered=remembered)


def given(
    challenges: list[str], count: int = 1, credentials: Credentials = ALICE, method: str = "INVITE"
) -> str:
    value = answer(
        challenges, credentials, method=method, uri="sip:b@example.com", cnonce="c", count=count
    )
    assert value is not None
    return value


def check(keeper: Gatekeeper, value: str, now: float = 10.0, method: str = "INVITE") -> Verdict:
    return keeper.check([value], method, password, now).verdict


def test_challenges_offer_the_best_first() -> None:
    read = [parse_challenge(value) for value in gate().challenges(SALT, 10.0)]
    assert [each.algorithm for each in read if each] == ["SHA-256", "MD5"]
    assert {(each.realm, each.qop, each.stale) for each in read if each} == {
        ("example.com", ("auth",), False)
    }


@pytest.mark.parametrize("algorithm", [0, 1])
def test_who_knows_the_password_is_let_in(algorithm: int) -> None:
    keeper = gate()
    challenge = keeper.challenges(SALT, 10.0)[algorithm]
    checked = keeper.check(["Basic x", given([challenge])], "INVITE", password, 10.0)
    assert (checked.verdict, checked.username) == (Verdict.VALID, "alice")


def test_another_gatekeeper_with_the_same_secret_agrees() -> None:
    assert check(gate(), given(gate().challenges(SALT, 10.0))) is Verdict.VALID


def test_who_does_not_is_not() -> None:
    keeper = gate()
    challenges = keeper.challenges(SALT, 10.0)
    assert check(keeper, given(challenges, credentials=Credentials("alice", "x"))) is Verdict.WRONG
    assert check(keeper, given(challenges, credentials=Credentials("bob", ""))) is Verdict.WRONG
    assert check(keeper, given(challenges, credentials=Credentials("bob", "x"))) is Verdict.WRONG
    assert check(keeper, given(challenges), method="BYE") is Verdict.WRONG


@pytest.mark.parametrize(
    "value",
    [
        *("", "Basic abc", "Digest nonsense", "Digest " + "x" * 9000),
        *(
            f'Digest username="alice", realm="{realm}", nonce="n", uri="u", response="r"{more}'
            for realm, more in (
                ("other.com", ""),
                ("example.com", ", algorithm=SHA-512-256"),
                ("example.com", ', qop=token, nc=00000001, cnonce="c"'),
            )
        ),
    ],
)
def test_other_credentials_are_none(value: str) -> None:
    assert check(gate(), value) is Verdict.MISSING


def test_no_credentials() -> None:
    assert gate().check([], "INVITE", password, 10.0).verdict is Verdict.MISSING


def test_a_nonce_grows_old() -> None:
    keeper = gate(lifetime=60.0)
    value = given(keeper.challenges(SALT, 10.0))
    assert check(keeper, value, 70.1) is Verdict.STALE
    (again, _) = keeper.challenges(SALT, 70.1, stale=True)
    assert ", stale=true" in again
    assert check(keeper, given([again]), 70.1) is Verdict.VALID


def test_what_was_overheard_does_not_open_the_door() -> None:
    keeper = gate()
    value = given(keeper.challenges(SALT, 10.0))
    assert [check(keeper, value) for _ in range(3)] == [Verdict.VALID, *[Verdict.STALE] * 2]


def test_a_nonce_without_counts_is_good_for_one_request() -> None:
    keeper = gate()
    sent = parse_authorization(given(keeper.challenges(SALT, 10.0)))
    assert sent is not None
    plain = Authorization(*(sent.username, sent.realm, sent.nonce, sent.uri, ""), sent.algorithm)
    secret = secret_hash(sent.algorithm, "alice", "example.com", ALICE.password)
    value = str(replace(plain, response=expected(plain, secret, "INVITE")))
    assert [check(keeper, value) for _ in range(2)] == [Verdict.VALID, Verdict.STALE]


def test_requests_may_overtake_each_other_a_little() -> None:
    keeper = gate()
    challenges = keeper.challenges(SALT, 10.0)
    order = (1, 3, 2, 2, 100, 37, 36, 37, 1, 101)
    valid = [check(keeper, given(challenges, count)) is Verdict.VALID for count in order]
    assert valid == [True, True, True, False, True, True, False, False, False, True]


def test_a_nonce_that_is_not_ours_is_only_told_to_who_knows_the_password() -> None:
    foreign = Gatekeeper("example.com", b"x" * 32).challenges(SALT, 10.0)
    for challenges in (foreign, ['Digest realm="example.com", nonce="ä==", qop="auth"']):
        assert check(gate(), given(challenges)) is Verdict.STALE
        assert check(gate(), given(challenges, credentials=Credentials("alice", "x"))) is (
            Verdict.WRONG
        )


def test_the_memory_is_bounded() -> None:
    keeper = gate(remembered=2)
    values = [given(keeper.challenges(bytes([each]) * 8, 10.0)) for each in range(3)]
    assert {check(keeper, value) for value in values} == {Verdict.VALID}
    assert check(keeper, values[2]) is Verdict.STALE


def test_unknown_users_cost_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counting()

    def counted(work: Callable[..., str]) -> Callable[..., str]:
        def call(*args: object) -> str:
            next(calls)
            return work(*args)

        return call

    keeper = gate()
    challenges = keeper.challenges(SALT, 10.0)
    monkeypatch.setattr(gatekeeper, "secret_hash", counted(secret_hash))
    monkeypatch.setattr(gatekeeper, "expected", counted(expected))
    work = []
    for username in ("alice", "nobody"):
        before = next(calls)
        check(keeper, given(challenges, credentials=Credentials(username, "wrong")))
        work.append(next(calls) - before)
    assert work == [3, 3]
