"""The session ledgers against their contract, and the file against what happens to files."""

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.contracts.session_ledger import SessionLedgerContract, record

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, Position
from tertulia.ports import LedgerEntry, SessionLedger
from tertulia.store.session_ledger import SLOT, FileSessionLedger, MemorySessionLedger

ROOT = Path(__file__).parents[2]


class TestMemory(SessionLedgerContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SessionLedger]:
        yield MemorySessionLedger()

    async def entries(self, ledger: SessionLedger) -> list[LedgerEntry]:
        return ledger.load()


class TestFile(SessionLedgerContract):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path: Path) -> None:
        self.path = tmp_path / "sessions"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SessionLedger]:
        yield FileSessionLedger(self.path, "epoch")

    async def entries(self, ledger: SessionLedger) -> list[LedgerEntry]:
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

    def test_a_full_disk_costs_nobody_that_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ledger = FileSessionLedger(self.path, "epoch")
        places = [ledger.open(record(str(number)), Position(0)) for number in range(256)]

        def refuse(*_: int) -> None:
            raise OSError(errno.ENOSPC, "no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", refuse)
            with pytest.raises(Unavailable, match="no room"):
                ledger.open(record("late"), Position(0))
            ledger.acknowledge(places[7], Position(9))
            ledger.close(places[0])
            assert ledger.open(record("next"), Position(3)) == places[0]
        late = ledger.open(record("late"), Position(5))
        found = {entry.place: entry.acknowledged for entry in asyncio.run(self.entries(ledger))}
        assert (found[places[7]], found[places[0]], found[late], len(found)) == (9, 3, 5, 257)
        ledger.shut()

    def test_it_is_as_one_in_memory_whatever_happens(self) -> None:
        chance = random.Random(1)
        ledger, twin = FileSessionLedger(self.path, "epoch"), MemorySessionLedger()
        places: list[tuple[int, int]] = []
        for number in range(6000):
            what = chance.random()
            if what < 0.4 or not places:
                opened = (record(str(number)), Position(number))
                places.append((ledger.open(*opened), twin.open(*opened)))
            elif what < 0.7:
                place, other = chance.choice(places)
                ledger.acknowledge(place, Position(number))
                twin.acknowledge(other, Position(number))
            else:
                place, other = places.pop(chance.randrange(len(places)))
                ledger.close(place)
                twin.close(other)
            if number % 1000 == 0:
                ledger.shut()
                ledger = FileSessionLedger(self.path, "epoch")
        assert contents(ledger) == contents(twin)
        ledger.shut()

    @pytest.mark.system
    def test_what_was_done_before_a_sudden_death_is_there(self) -> None:
        """A process opens, acknowledges and closes as fast as it can, and is killed."""
        chance = random.Random(2)
        for _ in range(5):
            with subprocess.Popen(
                [sys.executable, "-c", BUSY, str(self.path)], stdout=subprocess.PIPE, cwd=ROOT
            ) as process:
                assert process.stdout is not None
                said = process.stdout.read(chance.randint(1, 200_000) * 16)
                os.kill(process.pid, signal.SIGKILL)
                said += process.stdout.read()
            expected: dict[str, int] = {}
            lines = said[: len(said) // 16 * 16].decode()
            for at in range(0, len(lines), 16):
                kind, name, number = lines[at], lines[at + 1 : at + 6], int(lines[at + 6 : at + 15])
                if kind == "c":
                    expected.pop(name, None)
                else:
                    expected[name] = number
            ledger = FileSessionLedger(self.path, "epoch")
            found = {each.record.id[4:]: each.acknowledged for each in ledger.load()}
            # the last step may have been done and not said
            wrong = {name for name in expected.keys() | found.keys()
                     if expected.get(name) != found.get(name)}  # fmt: skip
            assert expected
            assert len(wrong) <= 1
            assert all(found.get(name, number) >= number for name, number in expected.items())
            ledger.shut()
            self.path.unlink()


def contents(ledger: SessionLedger) -> set[tuple[str, int]]:
    return {(entry.record.id, entry.acknowledged) for entry in ledger.load()}


BUSY = """
import os, sys
from pathlib import Path
from tests.contracts.session_ledger import record
from tertulia.store.session_ledger import FileSessionLedger

ledger = FileSessionLedger(Path(sys.argv[1]), "epoch")
places = {}
number = 0


def say(kind, name):
    os.write(1, f"{kind}{name:>5}{number:>9}\\n".encode())


while True:
    number += 1
    name = str(number * 7919 % 700)
    if name not in places:
        places[name] = ledger.open(record(name.rjust(5)), number)
        say("o", name)
    elif number % 3:
        ledger.acknowledge(places[name], number)
        say("a", name)
    else:
        ledger.close(places.pop(name))
        say("c", name)
"""
"""Says each step, in sixteen bytes, when it is done."""
