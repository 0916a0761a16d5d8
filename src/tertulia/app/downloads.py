"""Files of other servers, to be played: each on disk once, as long as it is the current one.

A file that its server calls fresh is used again without asking; one with validators is asked for by
them; any other is fetched anew. Those who want one address at the same time share one request.
"""

import asyncio
import re
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from msgspec import Struct

from tertulia.app.fetching import Fetched, Fetcher, FetchFailed, Validators
from tertulia.dispatch.target import TargetGuard
from tertulia.settings import Media

UNDER_WAY = 64
UNDER_WAY_PER_HOST = 16
FRESH_MAX_S = 3_600.0
"""However long a server calls its file fresh."""
IN_USE_S = 120.0
"""After it was handed out, a file stays at least so long: somebody is about to open it."""
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})")


class _Entry(Struct):
    path: Path
    size: int
    validators: Validators
    fresh_until: float
    used: float


class _Host:
    """Requests to one host."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(UNDER_WAY_PER_HOST)
        self.users = 0


class Downloads:
    """Fetches files and keeps them in a folder of its own, which is emptied in the beginning."""

    def __init__(
        self,
        folder: Path,
        guard: TargetGuard,
        settings: Media,
        *,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._folder = folder
        self._fetcher = Fetcher(guard, limit=settings.download_limit, tls=tls)
        self._timeout_s = settings.download_timeout_s
        self._room = settings.download_cache
        self._clock = clock
        self._slots = asyncio.Semaphore(UNDER_WAY)
        self._hosts: dict[str, _Host] = {}
        self._under_way: dict[str, asyncio.Task[Path | FetchFailed]] = {}
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        """The least recently used first. Under an address that no one asks for: files replaced."""
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()

    async def fetch(self, url: str) -> Path:
        """The file at an http or https address, complete; it is to be opened within two minutes.

        Raises FetchFailed.
        """
        entry = self._entries.get(url)
        if entry is not None and self._clock() < entry.fresh_until:
            return self._used(url, entry)
        task = self._under_way.get(url)
        if task is None:
            task = asyncio.create_task(self._outcome(url))
            self._under_way[url] = task
            task.add_done_callback(lambda _: self._under_way.pop(url, None))
        # It goes on when one who waits gives up: others may wait, and the next one needs it.
        outcome = await asyncio.shield(task)
        if isinstance(outcome, FetchFailed):
            raise FetchFailed(*outcome.args)
        return outcome

    async def close(self) -> None:
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fetcher.close()

    async def _outcome(self, url: str) -> Path | FetchFailed:
        try:
            async with asyncio.timeout(self._timeout_s), self._place(url):
                return await self._fetched(url)
        except TimeoutError:
            return FetchFailed(f"the file did not come within {self._timeout_s:g} seconds")
        except FetchFailed as failure:
            return failure

    @asynccontextmanager
    async def _place(self, url: str) -> AsyncIterator[None]:
        """Wait until few enough are under way; a slow host does not take all places."""
        name = _host(url)
        host = self._hosts.setdefault(name, _Host())
        host.users += 1
        try:
            async with host.slots, self._slots:
                yield
        finally:
            host.users -= 1
            if not host.users:
                del self._hosts[name]

    async def _fetched(self, url: str) -> Path:
        entry = self._entries.get(url)
        if entry is not None:
            self._used(url, entry)  # so that it is not deleted while its server is asked
        self._number += 1
        path = self._folder / f"{sha256(url.encode()).hexdigest()[:16]}-{self._number}"
        part = path.with_suffix(".part")
        try:
            got = await self._fetcher.get(url, part, entry.validators if entry else Validators())
            if got.is_new:
                part.replace(path)
        except OSError as error:
            raise FetchFailed(f"the file cannot be kept: {error.strerror}") from None
        finally:
            part.unlink(missing_ok=True)
        fresh_until = self._clock() + _fresh_s(got.cache_control)
        if not got.is_new:
            return self._confirmed(url, entry, fresh_until)
        return self._kept(url, path, got, fresh_until)

    def _confirmed(self, url: str, entry: _Entry | None, fresh_until: float) -> Path:
        if entry is None or self._entries.get(url) is not entry:
            raise FetchFailed("the server says that we have the file, and we do not")
        entry.fresh_until = fresh_until
        return self._used(url, entry)

    def _kept(self, url: str, path: Path, got: Fetched, fresh_until: float) -> Path:
        former = self._entries.pop(url, None)
        if former is not None:
            name = str(former.path)
            self._entries[name] = former
            self._entries.move_to_end(name, last=False)
        entry = _Entry(path, got.size, got.validators, fresh_until, 0.0)
        self._entries[url] = entry
        self._used(url, entry)
        self._make_room()
        return path

    def _used(self, url: str, entry: _Entry) -> Path:
        entry.used = self._clock()
        self._entries.move_to_end(url)
        return entry.path

    def _make_room(self) -> None:
        eldest = self._clock() - IN_USE_S
        total = sum(entry.size for entry in self._entries.values())
        for url, entry in tuple(self._entries.items()):
            if total <= self._room:
                return
            if entry.used <= eldest:
                del self._entries[url]
                total -= entry.size
                with suppress(OSError):  # what cannot be deleted now is in the next beginning
                    entry.path.unlink()


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _fresh_s(cache_control: str) -> float:
    """Seconds for which a file need not be asked for again (RFC 9111, 5.2.2)."""
    if "no-store" in cache_control or "no-cache" in cache_control:
        return 0.0
    found = _MAX_AGE.search(cache_control)
    return min(float(found[1]), FRESH_MAX_S) if found else 0.0
