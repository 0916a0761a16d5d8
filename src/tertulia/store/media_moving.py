"""Media files from the folder of a server that was alone, to where all nodes have them."""

import logging
from pathlib import Path

from tertulia.ports import MediaStore, Stored
from tertulia.store.media_files import DATABASE, FileMediaStore

_log = logging.getLogger(__name__)


async def move_in(source: FileMediaStore, target: MediaStore) -> int:
    """Add what the target does not have, with where it was shown; how many files there are. What
    was broken off may be done again. One upload at a time is in memory.

    Raises Unavailable.
    """
    files = 0
    for upload in await source.uploads():
        files += len(upload)
        if await target.find(upload[0].id) is None:
            contents = [(file, await source.content(file.id)) for file in upload]
            found = [Stored(file, content) for file, content in contents if content is not None]
            if found:
                await target.add(found, quota=0)
    for media_id, conversation_id, times in await source.attachments():
        if conversation_id not in await target.conversations(media_id):
            for _ in range(times):
                await target.attach([media_id], conversation_id)
    told = {"action": "media_moved_in", "files": files}
    _log.info("the media files are where all nodes have them now", extra=told)
    return files


def put_aside(data: Path) -> None:
    """What was known of the files of a data directory; their content stays beside it."""
    for beside in ("", "-wal", "-shm"):
        old = data / f"{DATABASE}{beside}"
        if old.exists():
            old.replace(data / f"{DATABASE}.old{beside}")
