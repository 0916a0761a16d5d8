"""What every SessionLedger promises."""

from abc import ABC, abstractmethod

from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import Dialect, SessionRecord
from tertulia.ports import LedgerEntry, SessionLedger


def record(name: str = "1") -> SessionRecord:
    return SessionRecord(
        id=SessionId(f"SES-{name}"), application_id=ApplicationId("application-1"),
        user_id=UserId("USR-1"), dialect=Dialect.TYPED, version="0.0.3", acknowledges=True,
        created_at=Instant(5),
    )  # fmt: skip


class SessionLedgerContract(ABC):
    @abstractmethod
    def ledger(self) -> SessionLedger:
        """An empty one."""

    def entries(self, ledger: SessionLedger) -> list[LedgerEntry]:
        """What is found when the ledger is opened the next time."""
        return ledger.load()

    def test_a_new_ledger_is_empty(self) -> None:
        assert self.entries(self.ledger()) == []

    def test_what_was_entered_is_found_again(self) -> None:
        ledger = self.ledger()
        place = ledger.open(record(), Position(7))
        assert place > 0
        assert self.entries(ledger) == [LedgerEntry(place, record(), Position(7))]

    def test_the_newest_acknowledgement_counts(self) -> None:
        ledger = self.ledger()
        first, second = ledger.open(record(), Position(0)), ledger.open(record("2"), Position(0))
        for position in range(1, 2**33, 2**31):
            ledger.acknowledge(first, Position(position))
        found = {entry.place: entry.acknowledged for entry in self.entries(ledger)}
        assert found == {first: 1 + 3 * 2**31, second: 0}

    def test_a_closed_session_is_forgotten(self) -> None:
        ledger = self.ledger()
        ledger.close(ledger.open(record(), Position(0)))
        kept = ledger.open(record("2"), Position(3))
        assert self.entries(ledger) == [LedgerEntry(kept, record("2"), Position(3))]

    def test_thousands_fit(self) -> None:
        ledger = self.ledger()
        places = [ledger.open(record(str(number)), Position(number)) for number in range(3000)]
        assert len(set(places)) == 3000
        found = {entry.record.id: entry.acknowledged for entry in self.entries(ledger)}
        assert found == {SessionId(f"SES-{number}"): number for number in range(3000)}
