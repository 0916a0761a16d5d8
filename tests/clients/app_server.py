"""An application's own server, as the suites need one: it gives scripts and sounds, and keeps what
it is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec

PATIENCE = 30.0
"""Seconds; generous, since the machine may be busy with other tests."""


class Told(NamedTuple):
    path: str
    members: dict[str, Any]
    token: str
    """Of its Authorization header."""


class AppServer:
    """Serves `content`, by path; whatever else is asked gets `{}`."""

    def __init__(self) -> None:
        self.content: dict[str, tuple[str, bytes]] = {}
        """Type and octets, by path."""
        self.told: list[Told] = []
        self.url = ""
        self._grown = threading.Condition()

    def serve(self, path: str, script: list[dict[str, Any]]) -> str:
        """A script from now on; its address."""
        self.content[path] = ("application/json", msgspec.json.encode(script))
        return self.url + path

    def keep(self, told: Told) -> None:
        with self._grown:
            self.told.append(told)
            self._grown.notify_all()

    def until(self, wanted: Callable[[Told], bool]) -> Told:
        """The first that is so, be it there or yet to come."""

        def found() -> list[Told]:
            return [each for each in self.told if wanted(each)]

        with self._grown:
            assert self._grown.wait_for(found, PATIENCE), self.told
        return found()[0]


@contextmanager
def app_server() -> Iterator[AppServer]:
    server = AppServer()

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            token = self.headers.get("authorization", "").partition(" ")[2]
            self._answer()
            server.keep(Told(self.path, msgspec.json.decode(body), token))

        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            type_, content = server.content.get(path, ("application/json", b"{}"))
            self.send_response(200)
            self.send_header("content-type", type_)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            return

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    server.url = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
