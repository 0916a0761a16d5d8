"""Media files of a server that was alone are there for all nodes, once it is one of them."""

import asyncio
from pathlib import Path

from tests.contracts.media_store import image, stored
from tests.postgres import PostgresServer

from tertulia.app.stores import Stores
from tertulia.model.ids import ConversationId
from tertulia.ports import MediaStore
from tertulia.settings import Data, Settings, Store
from tertulia.store.media_files import FileMediaStore
from tertulia.store.media_memory import MemoryMediaStore
from tertulia.store.media_moving import move_in
from tertulia.store.owner import Owner

SHOWN, ELSEWHERE = ConversationId("CON-1"), ConversationId("CON-2")
PICTURE = image(b"large", b"small")
SOUND = stored(b"sound" * 100_000)


async def fill(files: MediaStore) -> None:
    await files.add(PICTURE, quota=0)
    await files.add([SOUND], quota=0)
    for conversation_id in (SHOWN, SHOWN, ELSEWHERE):
        await files.attach([PICTURE[0].file.id], conversation_id)


async def check(files: MediaStore) -> None:
    for each in (*PICTURE, SOUND):
        assert await files.find(each.file.id) == each.file
        assert await files.content(each.file.id) == each.content
    shown = PICTURE[0].file.id
    assert await files.conversations(shown) == [SHOWN, ELSEWHERE]
    await files.detach([shown], SHOWN)
    await files.detach([shown], ELSEWHERE)
    assert await files.conversations(shown) == [SHOWN], "it is shown there twice"


def test_a_server_becomes_a_node(tmp_path: Path, postgres: PostgresServer) -> None:
    settings = Settings(data=Data(str(tmp_path)), store=Store(postgres.new_database()))

    async def scenario() -> None:
        alone = await Stores.open(settings)
        await fill(alone.media)
        secret = alone.media.secret
        await alone.close()
        for start in (1, 2):
            node = await Stores.open(settings, Owner("n1", "first"))
            assert node.media.secret == secret, "addresses that were given stay right"
            assert not (tmp_path / "media.db").exists()
            if start == 2:
                await check(node.media)
            await node.close()

    asyncio.run(scenario())


def test_what_was_broken_off_is_done_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        files, target = await FileMediaStore.open(tmp_path), MemoryMediaStore()
        await fill(files)
        await target.add(PICTURE, quota=0)
        assert await move_in(files, target) == 3
        assert await move_in(files, target) == 3
        await check(target)
        await files.close()

    asyncio.run(scenario())
