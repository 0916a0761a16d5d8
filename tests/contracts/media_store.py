"""The contract of MediaStore (tertulia/ports): what every adapter guarantees."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from msgspec.structs import replace
from tests.contracts.builders import APP, NOW, OTHER_APP
from tests.contracts.scenario import Contract, scenario

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ConversationId, MediaId, UserId
from tertulia.model.media import MediaFile, Representation
from tertulia.ports import MediaStore, QuotaReached, Stored

_numbers = count(1)


def stored(content: bytes = b"content") -> Stored:
    media_id = MediaId(f"MED-{next(_numbers):08}")
    file = MediaFile(
        id=media_id, upload=media_id, application_id=APP, content_type="image/png",
        size=len(content), digest="d1", created_at=NOW, uploader=UserId("USR-1"), name="Zoë.png",
    )  # fmt: skip
    return Stored(file, content)


def image(*contents: bytes) -> list[Stored]:
    """An upload in several representations."""
    made = [stored(content) for content in contents]
    first = made[0].file.id
    return [
        replace(each, file=replace(each.file, upload=first, representation=representation))
        for each, representation in zip(made, Representation, strict=False)
    ]


@contextmanager
def made(content: bytes) -> Iterator[Path]:
    """A file that is to be gone afterwards, and is there before."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "made.wav")
        path.write_bytes(content)
        yield path
        assert not path.exists()


class MediaContract(Contract[MediaStore]):
    pass


class MediaStoreContract(MediaContract):
    @scenario
    async def test_a_file_is_read_as_it_was_put(self, store: MediaStore) -> None:
        upload = image(b"\0" * 3_000_000, b"medium", b"small")
        await store.add(upload, quota=0)
        for each in upload:
            assert await store.find(each.file.id) == each.file
            assert await store.content(each.file.id) == each.content

    @scenario
    async def test_a_file_is_taken_over_from_where_it_was_made(self, store: MediaStore) -> None:
        one = stored(b"recorded" * 300_000)
        with made(one.content) as path:
            with pytest.raises(QuotaReached):
                await store.adopt(one.file, path, quota=1000)
            assert await store.find(one.file.id) is None
            await store.adopt(one.file, path, quota=0)
        assert await store.find(one.file.id) == one.file
        assert await store.content(one.file.id) == one.content

    @scenario
    async def test_a_file_is_read_in_pieces(self, store: MediaStore) -> None:
        await store.add([one := stored(b"0123456789")], quota=0)
        for first, size, piece in (
            (0, 3, b"012"), (3, 3, b"345"), (8, 5, b"89"), (10, 5, b""), (20, 5, b""), (4, 0, b""),
            (4, None, b"456789"),
        ):  # fmt: skip
            assert await store.content(one.file.id, first, size) == piece

    @scenario
    async def test_what_is_not_there(self, store: MediaStore) -> None:
        for unknown in (MediaId("MED-none"), MediaId(""), MediaId("../media.db"), MediaId("\0")):
            assert await store.find(unknown) is None
            assert await store.content(unknown) is None
            assert await store.conversations(unknown) == []
            await store.delete(unknown)

    @scenario
    async def test_a_deletion_takes_the_whole_upload_and_nothing_else(
        self, store: MediaStore
    ) -> None:
        upload, other = image(b"one", b"two", b"three"), [stored()]
        room = ConversationId("CON-1")
        for files in (upload, other):
            await store.add(files, quota=0)
            await store.attach([each.file.id for each in files], room)
        for _ in range(2):
            await store.delete(upload[1].file.id)
            for each in upload:
                assert await store.find(each.file.id) is None
                assert await store.content(each.file.id) is None
                assert await store.conversations(each.file.id) == []
        assert await store.content(other[0].file.id) == b"content"
        assert await store.conversations(other[0].file.id) == [room]

    @scenario
    async def test_the_conversations_that_show_a_file(self, store: MediaStore) -> None:
        one, other = stored(), stored()
        await store.add([one], quota=0)
        await store.add([other], quota=0)
        both = (one.file.id, other.file.id)
        rooms = [ConversationId(f"CON-{number}") for number in (3, 1, 2)]
        for room in (*rooms, rooms[0]):
            await store.attach([one.file.id], room)
        await store.attach([*both, MediaId("MED-none")], ConversationId("CON-4"))
        await store.attach([], ConversationId("CON-5"))
        assert await store.conversations(both[0]) == ["CON-1", "CON-2", "CON-3", "CON-4"]
        assert await store.conversations(both[1]) == ["CON-4"]
        assert await store.conversations(MediaId("MED-none")) == []

    @scenario
    async def test_what_is_shown_twice_is_taken_back_twice(self, store: MediaStore) -> None:
        one, other, room = stored(), stored(), ConversationId("CON-1")
        for each in (one, other):
            await store.add([each], quota=0)
            await store.attach([each.file.id], room)
        await store.attach([one.file.id], room)
        await store.attach([one.file.id], elsewhere := ConversationId("CON-2"))
        for expected in ([room, elsewhere], [elsewhere], [elsewhere]):
            await store.detach([one.file.id, MediaId("MED-none")], room)
            assert await store.conversations(one.file.id) == expected
        assert await store.conversations(other.file.id) == [room]
        await store.attach([one.file.id], room)
        assert await store.conversations(one.file.id) == [room, elsewhere]

    @scenario
    async def test_an_application_goes_with_all_its_files(self, store: MediaStore) -> None:
        upload, foreign, room = image(b"one", b"two"), stored(), ConversationId("CON-1")
        foreign = replace(foreign, file=replace(foreign.file, application_id=OTHER_APP))
        for files in (upload, [stored(b"more")], [foreign]):
            await store.add(files, quota=10)
            await store.attach([each.file.id for each in files], room)
        for _ in range(2):
            await store.delete_application(APP)
            for each in upload:
                assert await store.find(each.file.id) is None
                assert await store.content(each.file.id) is None
                assert await store.conversations(each.file.id) == []
        assert await store.content(foreign.file.id) == b"content"
        assert await store.conversations(foreign.file.id) == [room]
        await store.add([stored(b"1234567890")], quota=10)

    @scenario
    async def test_an_application_has_so_much_room(self, store: MediaStore) -> None:
        kept = image(b"12345", b"678")
        await store.add(kept, quota=10)
        with pytest.raises(QuotaReached):
            await store.add(late := image(b"90", b"1"), quota=10)
        assert await store.find(late[0].file.id) is None
        await store.add([stored(b"90")], quota=10)
        foreign = stored(b"1234567890")
        foreign = replace(foreign, file=replace(foreign.file, application_id=OTHER_APP))
        await store.add([foreign], quota=10)
        await store.delete(kept[0].file.id)
        await store.add([stored(b"12345678")], quota=10)
        with pytest.raises(QuotaReached):
            await store.add([stored(b"1")], quota=10)
        await store.add([stored(b"1" * 100)], quota=0)

    @scenario
    async def test_the_room_is_counted_once_for_those_that_come_together(
        self, store: MediaStore
    ) -> None:
        uploads = [[stored(b"12345")] for _ in range(6)]
        ended = await asyncio.gather(
            *(store.add(upload, quota=14) for upload in uploads), return_exceptions=True
        )
        assert [type(each) for each in ended].count(QuotaReached) == 4

    @scenario
    async def test_a_failing_store_changes_nothing_and_recovers(self, store: MediaStore) -> None:
        kept, room = stored(b"kept"), ConversationId("CON-1")
        await store.add([kept], quota=10)
        late = stored(b"123456")
        with self.failing(store):
            for change in (
                store.add([late], quota=10),
                store.attach([kept.file.id], room),
                store.detach([kept.file.id], room),
                store.delete(kept.file.id),
                store.delete_application(APP),
            ):
                with pytest.raises(Unavailable):
                    await change
        assert await store.find(late.file.id) is None
        assert await store.content(kept.file.id) == b"kept"
        assert await store.conversations(kept.file.id) == []
        await store.add([late], quota=10)
        assert await store.content(late.file.id) == b"123456"

    @scenario
    async def test_the_secret_stays_the_same(self, store: MediaStore) -> None:
        assert len(store.secret) == 32
        assert store.secret == store.secret


class DurableMediaContract(MediaContract):
    """For adapters that outlive their process."""

    @scenario
    async def test_everything_is_there_when_it_is_opened_again(self, store: MediaStore) -> None:
        kept, gone = image(b"one", b"two"), stored()
        await store.add(kept, quota=0)
        await store.add([gone], quota=0)
        await store.attach([kept[1].file.id], ConversationId("CON-1"))
        await store.delete(gone.file.id)
        again = await self.open()
        assert again.secret == store.secret
        assert await again.find(kept[0].file.id) == kept[0].file
        assert await again.content(kept[1].file.id) == b"two"
        assert await again.conversations(kept[1].file.id) == ["CON-1"]
        assert await again.find(gone.file.id) is None
        with pytest.raises(QuotaReached):
            await again.add([stored(b"12345")], quota=10)
        await self.close(again)
