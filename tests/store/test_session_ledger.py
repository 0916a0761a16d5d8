"""The session ledgers against their contract, and the file against what happens to files."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.contracts.session_ledger import SessionLedgerContract, record

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, Position
from tertulia.ports import LedgerEntry, SessionLedger
from tertulia.store.session_ledger import SLOT, FileSessionLedger, MemorySessionLedger


class TestMemory(SessionLedgerContract):
    def ledger(self) -> SessionLedger:
        return MemorySessionLedger()


class TestFile(SessionLedgerContract):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path: Path) -> None:
        self.path = tmp_path / "sessions"

    def ledger(self) -> SessionLedger:
        return FileSessionLedger(self.path, "epoch")

    def entries(self, ledger: SessionLedger) -> list[LedgerEntry]:
        # the first is not shut: as after a sudden death
        again = FileSessionLedger(self.path, "epoch")
        found = again.load()
        again.shut()
        return found

    def test_a_place_is_given_again_only_when_it_is_free(self) -> None:
        ledger = FileSessionLedger(self.path, "epoch")
        kept = ledger.open(record(), Position(1))
        ledger.shut()
        again = FileSessionLedger(self.path, "epoch")
        places = [again.open(record(str(number)), Position(0)) for number in range(2, 600)]
        assert kept not in places
        again.shut()

    def test_of_another_epoch_nothing_is_left(self) -> None:
        ledger = FileSessionLedger(self.path, "epoch")
        ledger.open(record(), Position(1))
        ledger.shut()
        other = FileSessionLedger(self.path, "another")
        assert other.load() == []
        other.shut()

    def test_a_torn_slot_is_empty(self) -> None:
        ledger = FileSessionLedger(self.path, "epoch")
        place = ledger.open(record(), Position(1))
        whole = ledger.open(record("2"), Position(2))
        ledger.shut()
        content = bytearray(self.path.read_bytes())
        content[place * SLOT + 20] ^= 0xFF
        self.path.write_bytes(content)
        again = FileSessionLedger(self.path, "epoch")
        assert [entry.place for entry in again.load()] == [whole]
        again.shut()

    def test_a_record_that_does_not_fit_is_a_bug(self) -> None:
        ledger = FileSessionLedger(self.path, "epoch")
        with pytest.raises(ValueError, match="does not fit"):
            ledger.open(replace(record(), application_id=ApplicationId("a" * SLOT)), Position(0))
        ledger.shut()

    def test_a_file_that_cannot_be_made_is_said(self) -> None:
        with pytest.raises(Unavailable, match="cannot open the sessions"):
            FileSessionLedger(self.path / "nowhere" / "sessions", "epoch")
